package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// certLife is longer than any demo and short enough that a forgotten folder is of no use to anybody.
const certLife = 30 * 24 * time.Hour

// authority signs certificates. P-256 because an RSA key takes up to a second to make.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// writePKI makes everything the components prove themselves with, fresh for each run: the cluster's CA with the serving and
// client certificates, a second CA for the aggregation layer (it must not be the first: whoever holds a certificate of the
// front proxy's CA may speak as anybody), and the key ServiceAccount tokens are signed with.
func writePKI(d clusterDir) error {
	ca, err := newAuthority("localcluster", d.pki("ca.crt"))
	if err != nil {
		return err
	}
	proxyCA, err := newAuthority("localcluster-front-proxy", d.pki("front-proxy-ca.crt"))
	if err != nil {
		return err
	}
	serving := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "localcluster"},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err := ca.issue(serving, d.pki("serving")); err != nil {
		return err
	}
	for _, name := range []string{"admin", "system:kube-controller-manager", "system:kube-scheduler", "kwok"} {
		if err := ca.issue(clientCert(name, "system:masters"), d.pki(name)); err != nil {
			return err
		}
	}
	if err := proxyCA.issue(clientCert(frontProxyName), d.pki("front-proxy")); err != nil {
		return err
	}
	return writeTokenKey(d)
}

// frontProxyName is the one name aggregated API servers accept as the front proxy.
const frontProxyName = "front-proxy-client"

func clientCert(name string, groups ...string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func newAuthority(name, certFile string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", name, err)
	}
	a := &authority{key: key, cert: &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}}
	if a.cert, err = a.sign(a.cert, key.Public()); err != nil {
		return nil, fmt.Errorf("sign %s: %w", name, err)
	}
	return a, writePEM(certFile, "CERTIFICATE", a.cert.Raw)
}

func (a *authority) sign(c *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial
	// An hour back: clocks in virtual machines jump.
	c.NotBefore = time.Now().Add(-time.Hour)
	c.NotAfter = time.Now().Add(certLife)
	if c.KeyUsage == 0 {
		c.KeyUsage = x509.KeyUsageDigitalSignature
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, public, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// issue writes base.crt and base.key.
func (a *authority) issue(c *x509.Certificate, base string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of %s: %w", c.Subject.CommonName, err)
	}
	signed, err := a.sign(c, key.Public())
	if err != nil {
		return fmt.Errorf("sign %s: %w", c.Subject.CommonName, err)
	}
	if err := writePEM(base+".crt", "CERTIFICATE", signed.Raw); err != nil {
		return err
	}
	return writeKey(base+".key", key)
}

func writeTokenKey(d clusterDir) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of ServiceAccount tokens: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode the key of ServiceAccount tokens: %w", err)
	}
	if err := writePEM(d.pki("tokens.pub"), "PUBLIC KEY", public); err != nil {
		return err
	}
	return writeKey(d.pki("tokens.key"), key)
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode %s: %w", file, err)
	}
	return writePEM(file, "EC PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("write a certificate or key: %w", err)
	}
	return nil
}
