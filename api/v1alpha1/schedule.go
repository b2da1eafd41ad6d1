package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Schedule opens windows in which other bounds hold. A window opens at start and ends at the first end after it. While
// several are open, the highest minReplicas and the lowest maxReplicas hold.
//
// +kubebuilder:validation:XValidation:rule="has(self.minReplicas) || has(self.maxReplicas)",message="a schedule changes bounds: give minReplicas, or maxReplicas, or both"
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",message="minReplicas of a schedule must not be above its maxReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.ramp) || has(self.minReplicas)",message="ramp lets a minimum rise: give minReplicas, or leave out ramp"
// +kubebuilder:validation:XValidation:rule="self.start != self.end",message="start and end are the same: such a window would never end; give the LoadScaler these bounds instead"
type Schedule struct {
	// Name tells this schedule from the others in reasons. Default: its start.
	//
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="name must be lower-case letters, digits and hyphens, such as work"
	Name string `json:"name,omitempty"`
	// Start is when a window opens, as a cron line of five fields: minute, hour, day of the month, month, weekday. Such as
	// 0 9 * * 1-5, at 9 on workdays.
	//
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4}$')",message="start must be a cron line of minute, hour, day, month and weekday, such as 0 9 * * 1-5"
	Start string `json:"start"`
	// End is when it ends, as a cron line.
	//
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9A-Za-z*/,?-]+( +[0-9A-Za-z*/,?-]+){4}$')",message="end must be a cron line of minute, hour, day, month and weekday, such as 0 21 * * 1-5"
	End string `json:"end"`
	// TimeZone is the IANA zone of start and end, such as Asia/Shanghai or Etc/UTC.
	//
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$') && self.lowerAscii() != 'local'",message="timeZone must be an IANA time zone, such as Asia/Shanghai or Etc/UTC"
	TimeZone string `json:"timeZone"`
	// MinReplicas stands in the place of the LoadScaler's while a window is open, 0 or more.
	//
	// +kubebuilder:validation:Minimum=0
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// MaxReplicas stands in the place of the LoadScaler's while a window is open, 0 or more; 0 is for nothing to run.
	//
	// +kubebuilder:validation:Minimum=0
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
	// Ramp is how long before a window opens its minimum may begin to rise, 0s to 24h. It rises in equal steps, and has
	// risen early enough for the pods to be ready when the window opens, once cusme has learned how long they take to
	// start. Default: just as long.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('0s') && duration(self) <= duration('24h')",message="ramp must be a duration of 0s to 24h, such as 10m"
	Ramp *metav1.Duration `json:"ramp,omitempty"`
}
