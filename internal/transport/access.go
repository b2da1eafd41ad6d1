package transport

import (
	"encoding/json"
	"fmt"

	"cusme.dev/cusme/api/v1alpha1"
)

// An Access is how to be let in at an endpoint: headers, credentials and TLS
// settings, and whose they are. Accesses are comparable; equal ones send equal
// requests, so that loads of many LoadScalers can share one.
type Access struct {
	namespace string // of the Secrets; empty where no Secret is named
	text      string // the connection as JSON, without its timeout
}

// AccessOf returns the access of a connection in a LoadScaler of a namespace.
func AccessOf(namespace string, c v1alpha1.Connection) (Access, error) {
	c.Timeout = nil
	text, err := json.Marshal(c)
	if err != nil {
		return Access{}, fmt.Errorf("connection: %w", err)
	}
	a := Access{text: string(text)}
	if c.Auth != nil || c.TLS != nil && (c.TLS.CA != nil || c.TLS.Certificate != nil || c.TLS.Key != nil) {
		a.namespace = namespace
	}
	return a, nil
}

// connection is the access in the spec's words.
func (a Access) connection() (c v1alpha1.Connection) {
	_ = json.Unmarshal([]byte(a.text), &c) // it was marshalled from one; the zero access is the zero connection
	return c
}
