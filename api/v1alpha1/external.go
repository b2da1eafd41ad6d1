package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExternalSource reads a load from a server that speaks KEDA's external scaler protocol over gRPC, so that every such
// scaler serves cusme unchanged. Most scalers tell a sum: set the load's type to Total then. The size that the scaler
// itself proposes per replica is shown by cusme probe, and target says what is used.
// +kubebuilder:validation:XValidation:rule="!has(self.metadata) || !has(self.metadataFrom) || !self.metadataFrom.exists(k, k in self.metadata)",message="metadata and metadataFrom both give a value for one name: leave out one of the two"
type ExternalSource struct {
	// Address of the scaler, as host:port.
	//
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^([-a-zA-Z0-9.]+|\\\\[[0-9a-fA-F:.]+\\\\]):([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$')",message="address must be a host and a port, such as scaler.shop:6000"
	Address string `json:"address"`
	// Metadata for the scaler, as a ScaledObject's trigger gives it.
	//
	// +kubebuilder:validation:MaxProperties=64
	Metadata map[string]string `json:"metadata,omitempty"`
	// MetadataFrom is metadata out of Secrets, by its name.
	//
	// +kubebuilder:validation:MaxProperties=16
	MetadataFrom map[string]SecretValue `json:"metadataFrom,omitempty"`
	// MetricName chooses one of several metrics that the scaler offers. Default: the only one.
	//
	// +kubebuilder:validation:MaxLength=253
	MetricName string `json:"metricName,omitempty"`
	// Stream keeps StreamIsActive open, so that a scaler that becomes active wakes cusme at once; KEDA's external-push.
	Stream bool `json:"stream,omitempty"`
	// TLS turns on TLS. Without it the connection is not encrypted.
	TLS *TLS `json:"tls,omitempty"`
	// Timeout bounds one read, and is no longer than the interval. Default 5s, or the interval where that is shorter.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s')",message="timeout must be a duration above 0s, such as 5s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}
