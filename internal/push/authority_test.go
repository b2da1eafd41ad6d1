package push

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

const home = "cusme-system"

// verify is a client that trusts what the ConfigMap says.
func verify(t *testing.T, client *fake.Clientset, leaf *x509.Certificate, name string) error {
	t.Helper()
	published, err := client.CoreV1().ConfigMaps(home).Get(t.Context(), "cusme-push-ca", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(published.Data["ca.crt"])) {
		t.Fatalf("no certificate in %q", published.Data)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: time.Now().Add(leafLasts - time.Hour)})
	return err
}

// installed is an API server with what comes with config/push.
func installed() *fake.Clientset {
	meta := metav1.ObjectMeta{Name: "cusme-push-ca", Namespace: home}
	return fake.NewClientset(&corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeOpaque}, &corev1.ConfigMap{ObjectMeta: meta})
}

func newSelfSigned(client *fake.Clientset, hosts ...string) *selfSigned {
	return &selfSigned{client: client, namespace: home, hosts: hosts, complaints: newComplaints(logr.Discard())}
}

// TestReplicasShareAnAuthority, though all of them begin at once: one is the first to write it, and the others find it
// when they try again.
func TestReplicasShareAnAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := installed()
		replicas := make([]*selfSigned, 4)
		seen, written := 0, 0
		client.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			seen++
			return seen <= len(replicas), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "cusme-push-ca", Namespace: home}}, nil
		})
		client.PrependReactor("update", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
			if written++; written > 1 {
				return true, nil, apierrors.NewConflict(corev1.Resource("secrets"), "cusme-push-ca", errors.New("it has changed"))
			}
			return false, nil, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), soon+time.Second)
		defer cancel()
		var all sync.WaitGroup
		for i := range replicas {
			replicas[i] = newSelfSigned(client, "cusme.example.com", "192.0.2.7")
			all.Go(func() { replicas[i].keep(ctx) })
		}
		all.Wait()
		if written != len(replicas) {
			t.Errorf("wrote %d times, want once each", written)
		}
		serveThemAll(t, client, replicas)
	})
}

// serveThemAll: each has a certificate for all names by the authority that is published, and for no other name.
func serveThemAll(t *testing.T, client *fake.Clientset, replicas []*selfSigned) {
	t.Helper()
	for _, r := range replicas {
		certificate, err := r.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"cusme-push.cusme-system.svc", "cusme-push.cusme-system.svc.cluster.local", "cusme.example.com", "192.0.2.7"} {
			if err := verify(t, client, certificate.Leaf, name); err != nil {
				t.Errorf("as %s: %v", name, err)
			}
		}
		if verify(t, client, certificate.Leaf, "elsewhere.test") == nil {
			t.Error("the certificate is good for any name")
		}
		if certificate.Leaf.IsCA {
			t.Error("the certificate may sign others")
		}
	}
}

// TestAuthorityOutlivesTheReplicas: applications elsewhere have a copy of its certificate.
func TestAuthorityOutlivesTheReplicas(t *testing.T) {
	client := installed()
	first := newSelfSigned(client)
	if err := first.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	was, _ := first.get(nil)
	if err := first.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if is, _ := first.get(nil); is != was {
		t.Error("a good certificate was replaced")
	}
	if _, err := client.CoreV1().ConfigMaps(home).Update(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "cusme-push-ca", Namespace: home}}, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	second := newSelfSigned(client)
	if err := second.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := verify(t, client, was.Leaf, "cusme-push.cusme-system.svc"); err != nil {
		t.Errorf("the first certificate, by what the second replica published again: %v", err)
	}
}

func TestWhatEndsSoonIsMadeAnew(t *testing.T) {
	client := installed()
	s := newSelfSigned(client)
	if err := s.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, _ := s.get(nil)
	old := *first
	leaf := *first.Leaf
	leaf.NotAfter = time.Now().Add(renewal - time.Hour)
	old.Leaf = &leaf
	s.current = &old
	if err := s.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if is, _ := s.get(nil); is == &old || !slices.Equal(is.Certificate[1], first.Certificate[1]) {
		t.Error("a certificate that ends soon was kept, or another authority signs the next")
	}

	dying := authorityUntil(t, time.Now().Add(leafLasts))
	if _, err := client.CoreV1().Secrets(home).Update(t.Context(), dying, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	is, _ := s.get(nil)
	if err := verify(t, client, is.Leaf, "cusme-push.cusme-system.svc"); err != nil {
		t.Errorf("after an authority that would end before its certificates: %v", err)
	}
}

// authorityUntil is a Secret whose authority ends then.
func authorityUntil(t *testing.T, end time.Time) *corev1.Secret {
	t.Helper()
	a, data, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	template := *a.certificate
	template.NotAfter = end
	der, err := signed(&template, &template, a.key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	data[corev1.TLSCertKey] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "cusme-push-ca", Namespace: home}, Data: data}
}

func TestAuthorityThatIsNone(t *testing.T) {
	client := installed()
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "cusme-push-ca", Namespace: home}, Data: map[string][]byte{"tls.crt": []byte("theirs")}}
	if _, err := client.CoreV1().Secrets(home).Update(t.Context(), foreign, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s := newSelfSigned(client)
	if err := s.renew(t.Context()); err == nil || !strings.Contains(err.Error(), "expected in Secret cusme-system/cusme-push-ca an authority that cusme made; take its data away") {
		t.Errorf("got %v", err)
	}
	if _, err := s.get(nil); err == nil {
		t.Error("there is a certificate, by nobody")
	}
	if err := newSelfSigned(fake.NewClientset()).renew(t.Context()); err == nil || !strings.Contains(err.Error(), `its empty Secret and ConfigMap come with config/push: secrets "cusme-push-ca" not found`) {
		t.Errorf("got %v", err)
	}
	denied := installed()
	denied.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("secrets is forbidden")
	})
	if err := newSelfSigned(denied).renew(t.Context()); err == nil || !strings.Contains(err.Error(), "secrets is forbidden") {
		t.Errorf("got %v", err)
	}
}

// write puts a certificate and its key into files, as a mounted Secret has them.
func write(t *testing.T, folder string, c *tls.Certificate) (cert, key string) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestMountedCertificate is awaited, served, and the next one when the files change, without a connection refused.
func TestMountedCertificate(t *testing.T) {
	ours, folder := makeAuthority(t), t.TempDir()
	first, second := sign(t, ours), sign(t, ours)
	d := newDesk()
	var err error
	if d.certificates, err = newCertificates(Options{CertFile: filepath.Join(folder, "tls.crt"), KeyFile: filepath.Join(folder, "tls.key")}, nil, d.complaints); err != nil {
		t.Fatal(err)
	}
	address := d.start(t)
	eventually(t, "tell that there is no certificate", func() bool { return strings.Contains(d.log.String(), "tls.crt: no such file") })
	if d.Ready(nil) == nil {
		t.Error("ready without a certificate")
	}
	write(t, folder, first.certificate)
	eventually(t, "read a certificate that came late", func() bool { return d.Ready(nil) == nil })
	shows := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", address, trustOnly(ours))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	if !shows().Equal(first.certificate.Leaf) {
		t.Error("shows another certificate than the mounted one")
	}
	write(t, folder, second.certificate)
	eventually(t, "show the second certificate", func() bool { return shows().Equal(second.certificate.Leaf) })
	if _, err := newCertificates(Options{CertFile: "tls.crt"}, nil, d.complaints); err == nil {
		t.Error("a certificate without a key is enough")
	}
}

// TestUnwatchedCertificate: files that were gone when the watch was to begin end nothing, and the same watcher begins again.
func TestUnwatchedCertificate(t *testing.T) {
	ours, folder := makeAuthority(t), t.TempDir()
	first, second := sign(t, ours), sign(t, ours)
	cert, key := write(t, folder, first.certificate)
	watcher, err := certwatcher.New(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{cert, key} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	d := newDesk()
	m := &mounted{cert: cert, key: key, complaints: d.complaints}
	m.watcher.Store(watcher)
	d.certificates = m
	d.start(t)
	eventually(t, "tell that the files are gone", func() bool { return strings.Contains(d.log.String(), "tls.crt: no such file") })
	write(t, folder, second.certificate)
	eventually(t, "show the second certificate", func() bool {
		got, err := m.get(nil)
		return err == nil && bytes.Equal(got.Certificate[0], second.certificate.Certificate[0])
	})
	if m.watcher.Load() != watcher {
		t.Error("there are two watchers, and the first cannot be closed")
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not %s within a minute", what)
		}
	}
}

func trustOnly(a authority) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &tls.Config{RootCAs: roots, ServerName: "cusme-push.cusme-system.svc", NextProtos: []string{"h2", "http/1.1"}}
}

// TestConflictIsNotRepeatedAtOnce: what else keeps writing may go on doing so.
func TestConflictIsNotRepeatedAtOnce(t *testing.T) {
	for _, resource := range []string{"secrets", "configmaps"} {
		client, writes := installed(), 0
		client.PrependReactor("update", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			if writes++; writes > 3 {
				return true, nil, errors.New("enough")
			}
			return true, nil, apierrors.NewConflict(corev1.Resource(resource), "cusme-push-ca", errors.New("it has changed"))
		})
		if err := newSelfSigned(client).renew(t.Context()); !apierrors.IsConflict(err) || writes != 1 {
			t.Errorf("%s: wrote %d times at once and got %v, want one conflict", resource, writes, err)
		}
	}
}
