package v1alpha1

// PodsSource asks each ready pod of the target at its own address, and makes one load of the answers.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.metric)",message="value and metric are two readings of one answer: give one of them"
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || (has(self.scheme) && self.scheme == 'HTTPS')",message="tls is for the scheme HTTPS; leave it out, or set scheme to HTTPS"
type PodsSource struct {
	// Port of the pod that answers, 1 to 65535.
	//
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// Path to GET, which may end in a query. Redirects are followed within that address and port only. Default /metrics.
	//
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[^# ]*$') && isURL('http://pod' + self)",message="path must begin with / and hold no space and no #, such as /metrics"
	Path string `json:"path,omitempty"`
	// Scheme is HTTP (default) or HTTPS.
	//
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	Scheme string `json:"scheme,omitempty"`
	// Value is a CEL expression over one pod's JSON answer that yields its number, such as body.running.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`
	// Metric is looked for in one pod's answer in Prometheus' text format, such as DCGM_FI_DEV_GPU_UTIL.
	Metric *PodMetric `json:"metric,omitempty"`
	// By makes one load of the pods' numbers: avg (default), max, sum or p90.
	//
	// +kubebuilder:validation:Enum=avg;max;sum;p90
	By string `json:"by,omitempty"`
	// Missing says what becomes of the load when some of the ready pods give no number. When all of them do not, the
	// reading has failed in any case.
	Missing Missing `json:"missing,omitempty"`
	// Headers, credentials and TLS are the same for all pods.
	Connection `json:",inline"`
}

// PodMetric finds a pod's number among its metrics.
type PodMetric struct {
	// Name of a gauge, counter or untyped metric.
	//
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z_:][a-zA-Z0-9_:]*$')",message="name must be a metric's name without labels, such as DCGM_FI_DEV_GPU_UTIL"
	Name string `json:"name"`
	// Labels that a sample must have, such as gpu: "0".
	//
	// +kubebuilder:validation:MaxProperties=16
	Labels map[string]string `json:"labels,omitempty"`
	// By makes one number of a pod's samples, such as one per GPU: sum (default), avg, max or p90.
	//
	// +kubebuilder:validation:Enum=avg;max;sum;p90
	By string `json:"by,omitempty"`
}

// Missing says what a load is worth when some pods give no number.
//
// +kubebuilder:validation:Enum=NeverShrink;Ignore;Fail
type Missing string

const (
	// NeverShrink lets what the others say add replicas and take none away. The default.
	NeverShrink Missing = "NeverShrink"
	// IgnoreMissing takes what the others say for the whole.
	IgnoreMissing Missing = "Ignore"
	// FailMissing takes the whole reading for failed.
	FailMissing Missing = "Fail"
)
