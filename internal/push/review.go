package push

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/token/cache"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	tokenreview "k8s.io/apiserver/plugin/pkg/authenticator/token/webhook"
	accessreview "k8s.io/apiserver/plugin/pkg/authorizer/webhook"
	"k8s.io/apiserver/plugin/pkg/authorizer/webhook/metrics"
	"k8s.io/client-go/kubernetes"
)

// errNobody says that a token is nobody's.
var errNobody = errors.New("the token is nobody's")

// Verdicts are believed for a short time, so that a load which is sent every
// second does not cost two requests a second. A right that is taken away counts
// for so long; one that was just given is seen almost at once.
const (
	trusted    = 10 * time.Second
	distrusted = 2 * time.Second
)

// onceMore is tried a review that the API server could not answer. Who sends waits meanwhile, within reviewTimeout.
var onceMore = wait.Backoff{Duration: 250 * time.Millisecond, Jitter: 0.2, Steps: 2}

// reviews asks the API server, as API servers of others do: with their own parts.
type reviews struct {
	tokens authenticator.Token
	rights authorizer.Authorizer
	// audiences that tokens must be for; none is the API server's own.
	audiences authenticator.Audiences
}

func newReviews(client kubernetes.Interface, audience string) (*reviews, error) {
	noted := tokenreview.AuthenticatorMetrics{
		RecordRequestTotal:   noteStatus,
		RecordRequestLatency: metrics.NoopRequestMetrics{}.RecordRequestLatency,
	}
	tokens, err := tokenreview.NewFromInterface(client.AuthenticationV1(), nil, onceMore, reviewTimeout, noted)
	if err != nil {
		return nil, err
	}
	rights, err := accessreview.NewFromInterface(client.AuthorizationV1(), trusted, distrusted, onceMore, authorizer.DecisionDeny,
		metrics.NoopAuthorizerMetrics{}, nil) // no compiler: there are no conditions
	if err != nil {
		return nil, err
	}
	r := &reviews{tokens: cache.New(verdicts{tokens}, false, trusted, distrusted), rights: rights}
	if audience != "" {
		r.audiences = authenticator.Audiences{audience}
	}
	return r, nil
}

// who implements judge.
func (r *reviews) who(ctx context.Context, token string) (user.Info, error) {
	if len(r.audiences) > 0 {
		ctx = authenticator.WithAudiences(ctx, r.audiences)
	}
	answer, known, err := r.tokens.AuthenticateToken(ctx, token)
	if err != nil {
		return nil, err
	}
	if !known || answer.User.GetName() == "" {
		return nil, errNobody
	}
	return answer.User, nil
}

// may implements judge.
func (r *reviews) may(ctx context.Context, sender user.Info, namespace, name string) (bool, error) {
	decision, _, err := r.rights.Authorize(ctx, authorizer.AttributesRecord{
		User: sender, ResourceRequest: true,
		Verb: "create", APIGroup: "cusme.dev", Resource: "loadscalers", Subresource: "readings", Namespace: namespace, Name: name,
	})
	return decision == authorizer.DecisionAllow && err == nil, err
}

// verdicts tells a token that is nobody's from a review that failed. Its authenticator calls both an error: the API server
// says of a bad token why it is one. What it created is a verdict.
type verdicts struct{ authenticator.Token }

func (v verdicts) AuthenticateToken(ctx context.Context, token string) (*authenticator.Response, bool, error) {
	var status string
	answer, known, err := v.Token.AuthenticateToken(context.WithValue(ctx, statusKey{}, &status), token)
	if status == strconv.Itoa(http.StatusCreated) {
		err = nil
	}
	return answer, known, err
}

type statusKey struct{}

// noteStatus keeps the status of the API server's last answer to one review.
func noteStatus(ctx context.Context, status string) {
	if noted, ok := ctx.Value(statusKey{}).(*string); ok {
		*noted = status
	}
}

// Quiet leaves out of a log for klog what is written there of each review that failed. The receiver tells of them itself,
// of one sender one a minute: else whoever sends enough bad tokens could bury every other line.
func Quiet(log logr.Logger) logr.Logger { return log.WithSink(quietSink{log.GetSink()}) }

type quietSink struct{ logr.LogSink }

func (q quietSink) Error(err error, what string, more ...any) {
	if !strings.HasPrefix(what, "Failed to make webhook auth") { // …enticator request, …orizer request
		q.LogSink.Error(err, what, more...)
	}
}
