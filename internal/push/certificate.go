package push

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"time"

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
	return &mounted{cert: o.CertFile, key: o.KeyFile, complaints: c}, nil
}

// mounted are certificates in files, read again when they change.
type mounted struct {
	cert, key  string
	complaints *complaints
	watcher    atomic.Pointer[certwatcher.CertWatcher]
}

// keep implements certificates.
func (m *mounted) keep(ctx context.Context) {
	for {
		err := m.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		m.complaints.tell(m.cert, "--push-cert and --push-key cannot be read, or not be watched; trying again", "error", err.Error())
		select {
		case <-ctx.Done():
		case <-time.After(soon):
		}
	}
}

// watch ends with ctx, or an error. There is one watcher, ever: one that could not begin cannot be closed, only begin again.
func (m *mounted) watch(ctx context.Context) error {
	watcher := m.watcher.Load()
	if watcher == nil {
		made, err := certwatcher.New(m.cert, m.key)
		if err != nil {
			return err
		}
		m.watcher.Store(made)
		watcher = made
	} else if err := watcher.ReadCertificate(); err != nil {
		return err
	}
	return watcher.Start(ctx)
}

func (m *mounted) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	watcher := m.watcher.Load()
	if watcher == nil {
		return nil, errors.New("the certificate of --push-cert could not be read yet")
	}
	return watcher.GetCertificate(hello)
}
