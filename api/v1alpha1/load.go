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
// not show and that may lie on the wrong side. Beside an objective there is none.
//
// An input is a load that is only read, for an expression; it asks for no replicas by itself, and holds none.
//
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.prometheus), has(self.push), has(self.pods), has(self.externalMetric), has(self.objectMetric), has(self.external), has(self.expression)].filter(given, given).size() == 1",message="a load needs exactly one source: give one of http, prometheus, push, pods, externalMetric, objectMetric, external and expression"
// +kubebuilder:validation:XValidation:rule="!has(self.input) || !self.input || (!has(self.low) && !has(self.high) && !has(self.target) && !has(self.type))",message="an input asks for no replicas: leave out its type, low, high and target"
// +kubebuilder:validation:XValidation:rule="!has(self.input) || !self.input || !has(self.expression)",message="an expression cannot be an input: write its formula where it is used"
// +kubebuilder:validation:XValidation:rule="has(self.low) == has(self.high)",message="low and high come together: give both, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.low) || !has(self.high) || !isQuantity(string(self.low)) || !isQuantity(string(self.high)) || quantity(string(self.low)).isLessThan(quantity(string(self.high)))",message="low must be below high"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || !has(self.low) || !isQuantity(string(self.target)) || !isQuantity(string(self.low)) || !quantity(string(self.target)).isLessThan(quantity(string(self.low)))",message="target must lie inside the band: it is below low"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || !has(self.high) || !isQuantity(string(self.target)) || !isQuantity(string(self.high)) || !quantity(string(self.target)).isGreaterThan(quantity(string(self.high)))",message="target must lie inside the band: it is above high"
// +kubebuilder:validation:XValidation:rule="!has(self.high) || !has(self.validRange) || !has(self.validRange.max) || !isQuantity(string(self.high)) || !isQuantity(string(self.validRange.max)) || quantity(string(self.high)).isLessThan(quantity(string(self.validRange.max)))",message="high must be below the max of validRange: no value that is believed would ever be above it"
// +kubebuilder:validation:XValidation:rule="!has(self.low) || !has(self.validRange) || !has(self.validRange.min) || !isQuantity(string(self.low)) || !isQuantity(string(self.validRange.min)) || !quantity(string(self.low)).isLessThan(quantity(string(self.validRange.min)))",message="low must not be below the min of validRange: no value that is believed would ever be below it"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || !has(self.validRange) || !has(self.validRange.max) || !isQuantity(string(self.target)) || !isQuantity(string(self.validRange.max)) || quantity(string(self.target)).isLessThan(quantity(string(self.validRange.max)))",message="target must be below the max of validRange"
// +kubebuilder:validation:XValidation:rule="!has(self.pods) || (has(self.input) && self.input) || (has(self.type) && self.type == 'Total') == (has(self.pods.by) && self.pods.by == 'sum')",message="a Total read from pods is their sum, and their sum is a Total: set type to Total and pods.by to sum, or neither"
type Load struct {
	// Name tells this load from the others in reasons and status.
	//
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="name must be lower-case letters, digits and hyphens, such as backend"
	Name string `json:"name"`
	// HTTP reads the load from a URL.
	HTTP *HTTPSource `json:"http,omitempty"`
	// Prometheus reads the load by a query.
	Prometheus *PrometheusSource `json:"prometheus,omitempty"`
	// Push has the application send the load by itself.
	Push *PushSource `json:"push,omitempty"`
	// Pods asks each ready pod.
	Pods *PodsSource `json:"pods,omitempty"`
	// ExternalMetric reads the load from the external metrics API.
	ExternalMetric *ExternalMetricSource `json:"externalMetric,omitempty"`
	// ObjectMetric reads the load from the custom metrics API.
	ObjectMetric *ObjectMetricSource `json:"objectMetric,omitempty"`
	// External asks a server that speaks KEDA's external scaler protocol.
	External *ExternalSource `json:"external,omitempty"`
	// Expression is a CEL formula over the other loads by their names, such as backend * 0.7 + queue / 100.0. A name that
	// is no identifier is written loads["gpu-queue"]. Expressions are not available in expressions.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Expression string `json:"expression,omitempty"`
	// Input makes this load a term of expressions only.
	Input bool `json:"input,omitempty"`
	// Type says what the number means: Utilization (default) or Total.
	Type LoadType `json:"type,omitempty"`
	// Low is the value below which replicas are removed, 0 or more and below high. Given together with high. Default 0.5
	// when neither a target nor an objective is given.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",message="low must be a number of 0 or more, such as '0.5'"
	Low *resource.Quantity `json:"low,omitempty"`
	// High is the value above which replicas are added. Given together with low. Default 0.8 when neither a
	// target nor an objective is given.
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

	Trust `json:",inline"`
}
