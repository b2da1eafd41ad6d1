package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExternalMetricSource reads a metric of the external metrics API, of the LoadScaler's own namespace, as an HPA does.
// Several values are added up. The time that the API gives says how old the reading is.
type ExternalMetricSource struct {
	// Name of the metric.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.contains('/') && self != '.' && self != '..'",message="name must be a metric's name, without a slash"
	Name string `json:"name"`
	// Selector narrows the metric down by its labels.
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// ObjectMetricSource reads a metric of the custom metrics API that describes one object of the LoadScaler's own
// namespace, as an HPA does. The time that the API gives says how old the reading is.
type ObjectMetricSource struct {
	// DescribedObject is what the metric describes, such as an Ingress.
	DescribedObject TargetRef `json:"describedObject"`
	// Name of the metric.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!self.contains('/') && self != '.' && self != '..'",message="name must be a metric's name, without a slash"
	Name string `json:"name"`
	// Selector narrows the metric down by its labels.
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}
