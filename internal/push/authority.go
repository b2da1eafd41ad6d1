package push

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// service is the name of the Service before the replicas.
	service = "cusme-push"
	// authorityName of the Secret with the authority's certificate and key, and
	// of the ConfigMap with the certificate alone, under ca.crt.
	authorityName = "cusme-push-ca"
	authorityKey  = "ca.crt"

	authorityLasts = 10 * 365 * 24 * time.Hour
	leafLasts      = 365 * 24 * time.Hour
	// renewal is how long before its end a certificate is made anew; an
	// authority must outlast what it signs.
	renewal = 30 * 24 * time.Hour
	// clockSlack lets a client's clock be behind cusme's.
	clockSlack = 5 * time.Minute
)

// An authority signs the certificates of one cluster's replicas.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority makes one up, with the data of its Secret.
func newAuthority() (authority, map[string][]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: authorityName},
		NotBefore:             time.Now().Add(-clockSlack),
		NotAfter:              time.Now().Add(authorityLasts),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := signed(template, template, key, key)
	if err != nil {
		return authority{}, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return authority{}, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return authority{certificate, key}, map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}, err
}

func signed(template, parent *x509.Certificate, public, private *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	return x509.CreateCertificate(rand.Reader, template, parent, &public.PublicKey, private)
}

// authorityIn reads the authority that a Secret holds.
func authorityIn(secret *corev1.Secret) (authority, error) {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	key, ours := pair.PrivateKey.(*ecdsa.PrivateKey)
	if err != nil || !ours || !pair.Leaf.IsCA {
		return authority{}, fmt.Errorf("expected in Secret %s/%s an authority that cusme made; take its data away, and one is made", secret.Namespace, secret.Name)
	}
	return authority{pair.Leaf, key}, nil
}

// sign makes a certificate for the replicas, under which they all can be reached.
func (a authority) sign(namespace string, hosts []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	name := service + "." + namespace + ".svc"
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    []string{name, name + ".cluster.local"},
		NotBefore:   time.Now().Add(-clockSlack),
		NotAfter:    time.Now().Add(leafLasts),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := signed(template, a.certificate, key, a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key, Leaf: leaf}, err
}

// selfSigned are certificates by an authority that all replicas share: one
// replica makes it, and it stays when all of them are replaced. An application
// elsewhere holds a copy of its certificate, which must go on being good.
type selfSigned struct {
	client     kubernetes.Interface
	namespace  string
	hosts      []string
	complaints *complaints

	mu      sync.Mutex
	current *tls.Certificate
}

// Looks at the authority: soon again after a failure, such as another replica that was faster, and else as often as
// somebody may empty the Secret to have a new one.
const (
	soon  = 2 * time.Second
	later = 10 * time.Minute
)

// keep implements certificates.
func (s *selfSigned) keep(ctx context.Context) {
	for {
		pause := later
		if err := s.renew(ctx); err != nil && ctx.Err() == nil {
			s.complaints.tell(authorityName, "the certificate to receive loads with cannot be made; trying again", "error", err.Error())
			pause = soon
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (s *selfSigned) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return nil, errors.New("cusme has no certificate to receive loads with yet")
	}
	return s.current, nil
}

// renew publishes the authority, and signs a certificate unless there is one by it that lasts.
func (s *selfSigned) renew(ctx context.Context) error {
	a, err := s.authority(ctx)
	if err != nil {
		return err
	}
	if err := s.publish(ctx, a); err != nil {
		return err
	}
	if now, err := s.get(nil); err == nil && lasts(now.Leaf, renewal) && bytes.Equal(now.Certificate[1], a.certificate.Raw) {
		return nil
	}
	certificate, err := a.sign(s.namespace, s.hosts)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = certificate
	return nil
}

func lasts(c *x509.Certificate, d time.Duration) bool { return time.Until(c.NotAfter) > d }

// authority returns the one in the Secret, which is empty at first. Of two replicas that make one at once, the second has a
// conflict, and finds the other's when it tries again.
func (s *selfSigned) authority(ctx context.Context) (authority, error) {
	secrets := s.client.CoreV1().Secrets(s.namespace)
	kept, err := secrets.Get(ctx, authorityName, metav1.GetOptions{})
	if err != nil {
		return authority{}, fmt.Errorf("read the authority of the certificate for pushed loads; its empty Secret and ConfigMap come with config/push: %w", err)
	}
	if len(kept.Data) > 0 {
		a, err := authorityIn(kept)
		if err != nil || lasts(a.certificate, leafLasts+renewal) {
			return a, err
		}
	}
	a, data, err := newAuthority()
	if err != nil {
		return authority{}, err
	}
	kept.Data = data
	if _, err := secrets.Update(ctx, kept, metav1.UpdateOptions{}); err != nil {
		return authority{}, fmt.Errorf("keep the authority of the certificate for pushed loads: %w", err)
	}
	return a, nil
}

// publish writes the authority's certificate where people find it.
func (s *selfSigned) publish(ctx context.Context, a authority) error {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
	maps := s.client.CoreV1().ConfigMaps(s.namespace)
	published, err := maps.Get(ctx, authorityName, metav1.GetOptions{})
	if err == nil && published.Data[authorityKey] != text {
		published.Data = map[string]string{authorityKey: text}
		_, err = maps.Update(ctx, published, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("publish the authority of the certificate for pushed loads: %w", err)
	}
	return nil
}
