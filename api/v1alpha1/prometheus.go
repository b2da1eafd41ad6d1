package v1alpha1

// PrometheusSource reads a load by an instant query to a server that speaks Prometheus' HTTP API: Prometheus, Thanos,
// Mimir, VictoriaMetrics and many clouds' services.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.url.startsWith('https://')",message="tls is for an https url; leave it out, or use https"
type PrometheusSource struct {
	// URL of the server, up to but without /api/v1, such as http://prometheus.monitoring:9090.
	//
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://[^/?#]') && url(self).getHostname() != ''",message="url must be an http:// or https:// address with a host, such as http://prometheus.monitoring:9090"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[^/?#]*//[^/?#]*@')",message="url must not hold a user or password: everybody who may read this LoadScaler would see it"
	// +kubebuilder:validation:XValidation:rule="!self.matches('/api/v1(/query)?/?([?#].*)?$')",message="url must end before /api/v1, such as http://prometheus.monitoring:9090"
	URL string `json:"url"`
	// Query in PromQL that yields exactly one number, such as sum(queue_length). Nothing is not 0: where no series means
	// 0, say so with "or vector(0)".
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// ObservedAt is a query that yields when the value was true, in seconds since 1970, such as
	// max(timestamp(queue_length)). A query that is a plain selector needs none: the time of its sample is asked for
	// besides. For any other query a server tells only when it computed the answer, and a value whose samples stopped
	// coming keeps for five minutes.
	//
	// +kubebuilder:validation:MaxLength=4096
	ObservedAt string `json:"observedAt,omitempty"`

	Connection `json:",inline"`
}
