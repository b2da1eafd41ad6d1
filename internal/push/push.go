// Package push receives loads that applications send.
//
// It is an HTTPS server on every replica of cusme: the one that leads takes the
// loads, the others hand them on to it. Who sends shows a token of a
// ServiceAccount, and needs the right to create loadscalers/readings of the
// LoadScaler; both are asked of the API server.
package push

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/net/netutil"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options of a Receiver.
type Options struct {
	// Address to listen on, as host:port; empty receives nothing.
	Address string
	// CertFile and KeyFile are the server's certificate in PEM, read again when
	// they change. Both empty: cusme signs its own.
	CertFile, KeyFile string
	// Hosts are names and IP addresses that its own certificate is for, beside that of the Service.
	Hosts []string
	// Audience that senders' tokens must be for, such as cusme-push: then they are no credential for the API server. Empty
	// is the API server's own, as of the token in every pod.
	Audience string
	// Namespace of the Service, and of the Secret and the ConfigMap with the authority of its own certificates.
	Namespace string

	// What is needed besides, the controller fills in.

	// Config is how to reach the API server.
	Config *rest.Config
	// Lease by which one of several replicas leads.
	Lease types.NamespacedName
	// Leading reports whether this replica takes loads itself.
	Leading func() bool
	// Deliver takes a load. Its errors are Unknown, NotYet, or say what is wrong
	// with the load.
	Deliver func(context.Context, Load) error
	// Count is told what came of each push, in one word.
	Count func(result string)
	// Log is told of pushes that were refused, of one sender one a minute.
	Log logr.Logger
}

// A Load is what an application sent.
type Load struct {
	// Namespace and Name of the LoadScaler.
	Namespace, Name string
	// Load is the load's name; empty for the only one that is pushed.
	Load string
	// Value is 0 or more, and finite.
	Value float64
	// At is when it was true; the zero time is now.
	At time.Time
}

// Unknown is an error that says that there is no such LoadScaler, or no such load that is pushed to it.
type Unknown string

func (u Unknown) Error() string { return string(u) }

// NotYet is an error that says that the load is not waited for yet; it will be.
type NotYet string

func (n NotYet) Error() string { return string(n) }

// Bounds of the server. A push is a hundred bytes and a token of one or two KiB.
const (
	bodyLimit      = 4 << 10
	headerLimit    = 16 << 10
	mostConns      = 1024
	mostStreams    = 32 // pushes at a time over one HTTP/2 connection
	headerTimeout  = 5 * time.Second
	readTimeout    = 7 * time.Second
	answerTimeout  = 15 * time.Second // from the end of the headers, the API server's answers included
	idleTimeout    = time.Minute
	reviewTimeout  = 5 * time.Second
	closingTimeout = 5 * time.Second
)

// Requests per second to the API server, beside the controller's own: a flood of
// bad tokens must not hold up a scale-out.
const (
	reviewsPerSecond = 50
	reviewsInBurst   = 100
)

// A Receiver receives loads.
type Receiver struct {
	Options
	listener      net.Listener
	certificates  certificates
	judge         judge
	leader        leader
	toLeader      http.RoundTripper
	limits        limits
	acquaintances acquaintances
	complaints    *complaints
}

// judge says who sends, and what they may.
type judge interface {
	// who fails with errNobody when the token is none.
	who(ctx context.Context, token string) (user.Info, error)
	may(ctx context.Context, sender user.Info, namespace, name string) (bool, error)
}

// leader says where the replica is that leads, as host:port.
type leader interface {
	address(context.Context) (string, error)
}

// certificates are what the server shows.
type certificates interface {
	// keep sees to it that there is one, and a valid one, until ctx ends. What fails is told, and tried again.
	keep(context.Context)
	// get fails until there is one.
	get(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// New listens, and answers nothing before Start. The error names the option
// that cannot be followed.
func New(o Options) (*Receiver, error) {
	config := rest.CopyConfig(o.Config)
	config.QPS, config.Burst, config.Timeout = reviewsPerSecond, reviewsInBurst, reviewTimeout
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	judge, err := newReviews(client, o.Audience)
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		Options:       o,
		judge:         judge,
		leader:        &lease{client: client.CoordinationV1().Leases(o.Lease.Namespace), name: o.Lease.Name},
		limits:        newLimits(),
		acquaintances: newAcquaintances(),
		complaints:    newComplaints(o.Log),
	}
	if r.certificates, err = newCertificates(o, client, r.complaints); err != nil {
		return nil, err
	}
	r.toLeader = newToLeader(r.certificates)
	if r.listener, err = net.Listen("tcp", o.Address); err != nil {
		return nil, fmt.Errorf("--push-address: %w", err)
	}
	return r, nil
}

// NeedLeaderElection has the manager start the receiver on every replica.
func (r *Receiver) NeedLeaderElection() bool { return false }

// Close ends a receiver that was not started. There may be none: nil.
func (r *Receiver) Close() {
	if r != nil {
		_ = r.listener.Close() // closed already if it was started
	}
}

// Ready fails until there is a certificate to show.
func (r *Receiver) Ready(*http.Request) error {
	_, err := r.certificates.get(nil)
	return err
}

// Start serves until ctx ends. A certificate that cannot be had ends nothing: it is tried for
// again, and meanwhile nobody is let in.
func (r *Receiver) Start(ctx context.Context) error {
	server := r.server()
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(netutil.LimitListener(newCrowd(r.listener), mostConns), "", "") }()
	go r.certificates.keep(ctx)
	r.Log.Info("receiving pushed loads", "address", r.listener.Addr().String())
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
	defer cancel()
	if server.Shutdown(closing) != nil {
		_ = server.Close() // whoever is not done by now has to send again
	}
	if err != nil {
		return fmt.Errorf("receive pushed loads: %w", err)
	}
	return nil
}

func (r *Receiver) server() *http.Server {
	return &http.Server{
		Handler:           r,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.certificates.get, ClientAuth: tls.RequestClientCert}, // colleague looks at it
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerLimit,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: mostStreams},
		ErrorLog:          log.New(r.complaints, "", 0),
	}
}
