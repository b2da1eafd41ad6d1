package v1alpha1

// HTTPSource reads a load from a URL.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tls) || self.url.startsWith('https://')",message="tls is for an https url; leave it out, or use https"
// +kubebuilder:validation:XValidation:rule="!has(self.body) || (has(self.method) && self.method == 'POST')",message="a body is sent with POST only: set method to POST, or leave the body out"
type HTTPSource struct {
	// URL to ask, http or https. Redirects are followed within its host only.
	//
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https?://[^/?#]') && url(self).getHostname() != ''",message="url must be an http:// or https:// address with a host, such as http://backend.shop/load"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[^/?#]*//[^/?#]*@')",message="url must not hold a user or password: everybody who may read this LoadScaler would see it"
	URL string `json:"url"`
	// Method is GET (default) or POST.
	//
	// +kubebuilder:validation:Enum=GET;POST
	Method string `json:"method,omitempty"`
	// Body to send with POST. Its Content-Type is application/json unless headers say otherwise.
	//
	// +kubebuilder:validation:MaxLength=16384
	Body string `json:"body,omitempty"`
	// Format of the answer. Default JSON, of which a plain number is one.
	Format Format `json:"format,omitempty"`
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

	Connection `json:",inline"`
}

// Format is how an answer is written.
//
// +kubebuilder:validation:Enum=JSON;XML;YAML;Prometheus;Text
type Format string

const (
	// JSON is what body is by default; a plain number is JSON too.
	JSON Format = "JSON"
	// XML has elements as fields, attributes as fields that begin with a hyphen, and text beside either as "#text".
	// Numbers are numbers.
	XML Format = "XML"
	// YAML is read as JSON is.
	YAML Format = "YAML"
	// Prometheus is the text format of metrics: body maps a metric's name to its samples, each with labels and value.
	Prometheus Format = "Prometheus"
	// Text makes body the answer's text, white space around it cut off.
	Text Format = "Text"
)
