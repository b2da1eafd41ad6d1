package push

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// start runs the receiver itself until the test ends, which it must do cleanly.
func (d *desk) start(t *testing.T) (address string) {
	t.Helper()
	var err error
	if d.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- d.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
		d.Close()
	})
	return d.listener.Addr().String()
}

// TestServer: HTTP/2 with TLS, bounded headers, nobody let in before there is a certificate.
func TestServer(t *testing.T) {
	ours := makeAuthority(t)
	d := newDesk()
	d.certificates = sign(t, ours)
	address := d.start(t)
	send := func(protocol, header string) *http.Response {
		config := trustOnly(ours)
		config.NextProtos = []string{protocol}
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: protocol == "h2", DisableKeepAlives: true}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+"/v1/loads/shop/webui", strings.NewReader(`{"value": 1}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", good)
		req.Header.Set("X-Pad", header)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp
	}
	if got := send("h2", ""); got.StatusCode != 204 || got.ProtoMajor != 2 {
		t.Errorf("answered %d over %s", got.StatusCode, got.Proto)
	}
	if got := send("http/1.1", strings.Repeat("x", 2*headerLimit)); got.StatusCode != 431 {
		t.Errorf("answered %d to endless headers", got.StatusCode)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true}); err == nil {
		t.Error("speaks TLS 1.1")
	}
	early := newDesk()
	early.certificates = shown{}
	if early.Ready(nil) == nil {
		t.Error("ready without a certificate")
	}
	if _, err := tls.Dial("tcp", early.start(t), trustOnly(ours)); err == nil {
		t.Error("lets somebody in without a certificate")
	}
}

// TestEndWaitsForNobody: a sender in the middle of a body is cut off, and that is no failure of cusme's.
func TestEndWaitsForNobody(t *testing.T) {
	t.Parallel() // it takes closingTimeout
	ours := makeAuthority(t)
	d := newDesk()
	d.certificates = sign(t, ours)
	asked := make(chan struct{})
	d.Leading = func() bool { close(asked); return true }
	config := trustOnly(ours)
	config.NextProtos = nil
	var conn *tls.Conn
	t.Cleanup(func() { conn.Close() }) // after the receiver has ended
	address := d.start(t)
	var err error
	if conn, err = tls.Dial("tcp", address, config); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST /v1/loads/shop/webui HTTP/1.1\r\nHost: cusme\r\nAuthorization: "+good+"\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	<-asked
}
