package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Objective is how long requests may wait for a replica that serves them: one knob, waiting against money. The loads have
// no bands then, and moves no fixed size.
type Objective struct {
	// Wait is the longest wait that is good enough, 1s to 24h. A shorter one costs more replicas.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="wait must be a duration of 1s to 24h, such as 30s"
	Wait metav1.Duration `json:"wait"`
	// Percentile is the share of requests, in percent, that is to wait no longer than that: 50 to 99. Default 95.
	//
	// +kubebuilder:validation:Minimum=50
	// +kubebuilder:validation:Maximum=99
	Percentile *int32 `json:"percentile,omitempty"`
	// Forecast says whether pods are ordered before a rise that other weeks had at the same hour: Auto (default), where that
	// has proven itself on the target's own past, or Disabled.
	Forecast Forecast `json:"forecast,omitempty"`
	// TimeZone is the IANA zone of the hours and weekdays that the forecast learns by, such as Asia/Shanghai. Default Etc/UTC.
	//
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$') && self.lowerAscii() != 'local'",message="timeZone must be an IANA time zone, such as Asia/Shanghai or Etc/UTC"
	TimeZone string `json:"timeZone,omitempty"`
}

// Forecast says whether a learned profile of the week may order pods.
//
// +kubebuilder:validation:Enum=Auto;Disabled
type Forecast string

const (
	// ForecastAuto lets it where it has proven itself.
	ForecastAuto Forecast = "Auto"
	// ForecastDisabled learns and foretells nothing.
	ForecastDisabled Forecast = "Disabled"
)
