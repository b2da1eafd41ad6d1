package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"cusme.dev/cusme/api/v1alpha1"
)

// A material is what TLS settings have out of Secrets, in PEM. What is not given is empty.
type material struct {
	ca, certificate, key string
}

// material fetches what TLS settings name.
func (k *keyring) material(ctx context.Context, spec *v1alpha1.TLS) (material, error) {
	if spec == nil {
		return material{}, nil
	}
	var m material
	var errs []error
	for _, part := range []struct {
		field string
		from  *v1alpha1.SecretValue
		to    *string
	}{{"tls.ca", spec.CA, &m.ca}, {"tls.certificate", spec.Certificate, &m.certificate}, {"tls.key", spec.Key, &m.key}} {
		if part.from == nil {
			continue
		}
		text, err := k.value(ctx, part.from.SecretKeyRef)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part.field, err))
		}
		*part.to = text
	}
	return m, errors.Join(errs...)
}

// config makes a client's TLS settings of a spec, which may be nil, and its material.
func (m material) config(spec *v1alpha1.TLS) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if spec == nil {
		return config, nil
	}
	config.ServerName, config.InsecureSkipVerify = spec.ServerName, spec.InsecureSkipVerify
	if m.ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(m.ca)) {
			return nil, errors.New("tls.ca: expected certificates in PEM, found none that can be read")
		}
	}
	if m.certificate == "" && m.key == "" {
		return config, nil
	}
	pair, err := tls.X509KeyPair([]byte(m.certificate), []byte(m.key))
	if err != nil {
		return nil, fmt.Errorf("tls.certificate and tls.key: expected a certificate and its key in PEM: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// loginConfig is for the token URL: its certificate may be signed by the
// authority of the endpoint as well as by one that the system trusts. It is
// always checked, as the client's secret is sent there.
func (m material) loginConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.ca == "" {
		return config, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificate authorities: %w", err)
	}
	roots.AppendCertsFromPEM([]byte(m.ca))
	config.RootCAs = roots
	return config, nil
}
