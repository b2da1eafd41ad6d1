package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Connection says how to reach an endpoint over HTTP, and how to be let in. Loads of all LoadScalers with the same
// address and the same connection share one request.
type Connection struct {
	// Headers sent with every request, such as X-Scope-OrgID. What is secret belongs in auth: everybody who may read this
	// LoadScaler sees these.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Headers []Header `json:"headers,omitempty"`
	// Auth gives the credentials, from Secrets of the LoadScaler's own namespace.
	Auth *Auth `json:"auth,omitempty"`
	// TLS settings of an https address.
	TLS *TLS `json:"tls,omitempty"`
	// Timeout bounds one read, from dialling to the last byte, and is no longer than the interval. Default 5s, or the
	// interval where that is shorter.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s')",message="timeout must be a duration above 0s, such as 5s"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// Header is sent with a request.
type Header struct {
	// Name of the header, such as X-Scope-OrgID.
	//
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-A-Za-z0-9_]+$')",message="name must be a header's name, such as X-Scope-OrgID"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(?i)(authorization|cookie|host|content-length|transfer-encoding|accept-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*)$')",message="this header is not to be set here: credentials belong in auth, and the others are set by the request itself"
	Name string `json:"name"`
	// Value of the header.
	//
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.matches('[\\\\x00-\\\\x1f\\\\x7f]')",message="value must hold no control characters and no line breaks"
	Value string `json:"value"`
}

// Auth gives credentials. One of bearer, basic and oauth2, all of which are the Authorization header; API keys and the
// client certificate of tls go with any of them. A Secret that changes is used as it is now from the next request on.
//
// +kubebuilder:validation:XValidation:rule="(has(self.bearer) ? 1 : 0) + (has(self.basic) ? 1 : 0) + (has(self.oauth2) ? 1 : 0) <= 1",message="bearer, basic and oauth2 all set the Authorization header: give one of them"
type Auth struct {
	// Bearer sends a token.
	Bearer *SecretValue `json:"bearer,omitempty"`
	// Basic sends a user and a password.
	Basic *BasicAuth `json:"basic,omitempty"`
	// OAuth2 fetches a token with client credentials (RFC 6749 section 4.4), and a new one when it expires.
	OAuth2 *OAuth2 `json:"oauth2,omitempty"`
	// APIKeys are sent in headers or in the query.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	APIKeys []APIKey `json:"apiKeys,omitempty"`
}

// SecretValue is a value out of a Secret of the LoadScaler's own namespace. cusme may read the Secret only if a Role in
// that namespace lets it get, list and watch this one by name.
type SecretValue struct {
	// SecretKeyRef names the Secret and the key in it. White space around the value does not count.
	SecretKeyRef SecretKey `json:"secretKeyRef"`
}

// SecretKey names a Secret and a key in it.
type SecretKey struct {
	// Name of the Secret.
	//
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name must be the name of a Secret, such as backend"
	Name string `json:"name"`
	// Key in its data.
	//
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key must be a key of a Secret, such as token"
	Key string `json:"key"`
}

// BasicAuth is a user and a password.
type BasicAuth struct {
	// Username out of a Secret.
	Username SecretValue `json:"username"`
	// Password out of a Secret.
	Password SecretValue `json:"password"`
}

// APIKey is a secret that is sent in a header or in the query.
//
// +kubebuilder:validation:XValidation:rule="has(self.header) != has(self.query)",message="an API key goes in a header or in the query: give one of the two names"
type APIKey struct {
	// Header that carries the key, such as X-API-Key.
	//
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-A-Za-z0-9_]+$')",message="header must be a header's name, such as X-API-Key"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(?i)(authorization|host|content-length|content-type|transfer-encoding|accept-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*)$')",message="this header cannot carry an API key: for Authorization give bearer, basic or oauth2"
	Header string `json:"header,omitempty"`
	// Query is the parameter that carries the key, such as api_key.
	//
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._A-Za-z0-9]+$')",message="query must be a parameter's name, such as api_key"
	Query string `json:"query,omitempty"`
	// SecretKeyRef names the Secret and the key in it.
	SecretKeyRef SecretKey `json:"secretKeyRef"`
}

// OAuth2 are client credentials.
type OAuth2 struct {
	// TokenURL is asked for tokens, over TLS only (RFC 6749 section 3.2), as the client's secret is sent there. What may not
	// be reached for a load may not be reached for a token either.
	//
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^https://[^/?#]') && url(self).getHostname() != ''",message="tokenURL must be an https:// address with a host, such as https://login.example.com/token, as the client's secret is sent there"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[^/?#]*//[^/?#]*@')",message="tokenURL must not hold a user or password: everybody who may read this LoadScaler would see it"
	TokenURL string `json:"tokenURL"`
	// ClientID out of a Secret.
	ClientID SecretValue `json:"clientID"`
	// ClientSecret out of a Secret.
	ClientSecret SecretValue `json:"clientSecret"`
	// Scopes to ask for.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=256
	Scopes []string `json:"scopes,omitempty"`
	// Parameters are sent to the token URL besides, such as audience.
	//
	// +kubebuilder:validation:XValidation:rule="!['grant_type', 'client_id', 'client_secret', 'scope'].exists(p, p in self)",message="grant_type, client_id, client_secret and scope are not to be set here: clientID, clientSecret and scopes have fields of their own"
	// +kubebuilder:validation:MaxProperties=16
	Parameters map[string]string `json:"parameters,omitempty"`
}

// TLS settings of an endpoint. Without any, its certificate must be signed by an authority that the system trusts.
//
// +kubebuilder:validation:XValidation:rule="has(self.certificate) == has(self.key)",message="a client certificate is a certificate and its key: give both, or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.ca) || !has(self.insecureSkipVerify) || !self.insecureSkipVerify",message="insecureSkipVerify accepts any certificate, whoever signed it: leave out either it or ca"
type TLS struct {
	// CA that signed the endpoint's certificate, in PEM, in place of those that the system trusts.
	CA *SecretValue `json:"ca,omitempty"`
	// Certificate of the client, in PEM, for endpoints that want one. Given together with key.
	Certificate *SecretValue `json:"certificate,omitempty"`
	// Key of the client's certificate, in PEM.
	Key *SecretValue `json:"key,omitempty"`
	// ServerName that the endpoint's certificate must carry, where it is not the host of the address.
	//
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?$')",message="serverName must be a host's name, such as backend.shop.svc"
	ServerName string `json:"serverName,omitempty"`
	// InsecureSkipVerify accepts any certificate. Anyone on the way can then take the credentials and set your replicas.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}
