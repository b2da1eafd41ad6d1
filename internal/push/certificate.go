package push

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// newCertificates returns what the options ask for.
func newCertificates(o Options, client kubernetes.Interface, c *complaints) (certificates, error) {
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("--push-cert and --push-key come together: give both, or neither")
	}
	if o.CertFile == "" {
		return &selfSigned{client: client, namespace: o.Namespace, hosts: o.Hosts, complaints: c}, nil
	}
	watcher, err := certwatcher.New(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--push-cert, --push-key: %w", err)
	}
	return mounted{watcher}, nil
}

// mounted are certificates in files, read again when they change.
type mounted struct{ *certwatcher.CertWatcher }

func (m mounted) keep(ctx context.Context) error { return m.Start(ctx) }

func (m mounted) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return m.GetCertificate(hello)
}
