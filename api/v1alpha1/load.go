package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LoadType says what a load's number means.
//
// +kubebuilder:validation:Enum=Utilization;Total
type LoadType string

const (
	// Utilization is a ratio per ready replica, such as 0.83.
	Utilization LoadType = "Utilization"
	// Total is a sum over the whole service, such as the length of a queue; its band is per replica.
	Total LoadType = "Total"
)

// Load is one signal: where it is read, and between which values all is well.
//
// Low, high and target are integers or quoted decimals ("0.5"). Four ways to give them: none of them, for the
// original's 0.5 and 0.8 (a Utilization only); low and high; low, high and target; target alone, for HPA's tolerance
// around it. Low without high, or high without low, is refused: the other end would be a default that the manifest does
// not show and that may lie on the wrong side.
//
// +kubebuilder:validation:XValidation:rule="has(self.http)",message="a load needs a source: give http"
// +kubebuilder:validation:XValidation:rule="has(self.low) == has(self.high)",message="low and high come together: give both, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.low) || !has(self.high) || !isQuantity(string(self.low)) || !isQuantity(string(self.high)) || quantity(string(self.low)).isLessThan(quantity(string(self.high)))",message="low must be below high"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || !has(self.low) || !isQuantity(string(self.target)) || !isQuantity(string(self.low)) || !quantity(string(self.target)).isLessThan(quantity(string(self.low)))",message="target must lie inside the band: it is below low"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || !has(self.high) || !isQuantity(string(self.target)) || !isQuantity(string(self.high)) || !quantity(string(self.target)).isGreaterThan(quantity(string(self.high)))",message="target must lie inside the band: it is above high"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'Total' || has(self.target) || has(self.low)",message="a Total has no default band: give target, or low and high, per replica"
type Load struct {
	// Name tells this load from the others in reasons and status.
	//
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="name must be lower-case letters, digits and hyphens, such as backend"
	Name string `json:"name"`
	// HTTP reads the load from a URL.
	HTTP *HTTPSource `json:"http,omitempty"`
	// Type says what the number means: Utilization (default) or Total.
	Type LoadType `json:"type,omitempty"`
	// Low is the value below which replicas are removed, 0 or more and below high. Given together with high. Default 0.5
	// when no target is given either.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",message="low must be a number of 0 or more, such as '0.5'"
	Low *resource.Quantity `json:"low,omitempty"`
	// High is the value above which replicas are added. Given together with low. Default 0.8 when no target is given
	// either.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",message="high must be a number of 0 or more, such as '0.8'"
	High *resource.Quantity `json:"high,omitempty"`
	// Target is the value aimed at when replicas move, above 0 and inside the band. Default: the middle of the band.
	// Given alone, HPA's tolerance makes the band.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="target must be a number above 0, such as '0.65'"
	Target *resource.Quantity `json:"target,omitempty"`
	// StaleAfter is the age beyond which a reading is not believed. Default: three intervals.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s')",message="staleAfter must be a duration above 0s, such as 45s"
	StaleAfter *metav1.Duration `json:"staleAfter,omitempty"`
}

// HTTPSource reads a load with a GET.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.url.startsWith('https://')",message="tls is for an https url; leave it out, or use https"
type HTTPSource struct {
	// URL to GET, http or https. Redirects are followed within its host only.
	//
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://[^/?#]') && url(self).getHostname() != ''",message="url must be an http:// or https:// address with a host, such as http://backend.shop/load"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[^/?#]*//[^/?#]*@')",message="url must not hold a user or password: everybody who may read this LoadScaler would see it"
	URL string `json:"url"`
	// Value is a CEL expression over the answer that yields the number, such as body.data.load_balance.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value"`
	// ObservedAt is a CEL expression that yields the reading's own time, such as timestamp(body.data.time).
	// Without it the answer's Date and Age headers say how old the reading is.
	//
	// +kubebuilder:validation:MaxLength=4096
	ObservedAt string `json:"observedAt,omitempty"`
	// Timeout bounds one read, from dialling to the last byte. Default 5s.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s')",message="timeout must be a duration above 0s, such as 5s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// TLS settings of an https URL.
	TLS *TLS `json:"tls,omitempty"`
}

// TLS settings of a source.
type TLS struct {
	// InsecureSkipVerify accepts any certificate. Anyone on the way can then set your replicas.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}
