package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// Busy says how to ask one pod whether it works on a request: a GET at the pod's own address, over http, answered within
// 2s. A pod that gives no usable answer counts as busy.
//
// A pod may carry the annotation cusme.dev/busy instead, "true" or "false". It is believed without asking.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) || has(self.metric)",message="busy needs to know what to look for: give value or metric"
// +kubebuilder:validation:XValidation:rule="!has(self.value) || !has(self.metric)",message="value and metric are two readings of one answer: give one of them"
type Busy struct {
	// Port of the pod that answers, 1 to 65535.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// Path to GET, which may end in a query. Redirects are followed within that address and port only. Default /.
	//
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[^# ]*$') && isURL('http://pod' + self)",message="path must begin with / and hold no space and no #, such as /busy"
	Path string `json:"path,omitempty"`
	// Value is a CEL expression over a JSON answer that yields true for a busy pod, such as body.active > 0, or a number:
	// above 0 is busy. It may use what a load's value may.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`
	// Metric is looked for in an answer in Prometheus' text format.
	Metric *BusyMetric `json:"metric,omitempty"`
}

// BusyMetric says from which value on a metric makes a pod busy.
type BusyMetric struct {
	// Name of a gauge, counter or untyped metric, such as DCGM_FI_DEV_GPU_UTIL. Its samples are added up, whatever their
	// labels.
	//
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z_:][a-zA-Z0-9_:]*$')",message="name must be a metric's name without labels, such as DCGM_FI_DEV_GPU_UTIL"
	Name string `json:"name"`
	// Above is the sum up to which a pod is idle, 0 or more. An integer or a quoted decimal. Default 0.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",message="above must be a number of 0 or more, such as '5'"
	Above *resource.Quantity `json:"above,omitempty"`
}
