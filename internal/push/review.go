package push

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// errNobody says that a token is nobody's.
var errNobody = errors.New("the token is nobody's")

// Verdicts are believed for a short time, so that a load which is sent every
// second does not cost two requests a second. A right that is taken away counts
// for so long; one that was just given is seen almost at once.
const (
	trusted    = 10 * time.Second
	distrusted = 2 * time.Second
	// mostVerdicts of each kind are kept.
	mostVerdicts = 4096
)

// A sender is who a token belongs to.
type sender struct {
	user authenticationv1.UserInfo
	// key tells the token from others, without being one.
	key [sha256.Size]byte
}

// name is the account's: system:serviceaccount:NAMESPACE:NAME.
func (s sender) name() string { return s.user.Username }

// reviews asks the API server.
type reviews struct {
	tokens          authenticationclient.TokenReviewInterface
	rights          authorizationclient.SubjectAccessReviewInterface
	senders, grants *cache.LRUExpireCache
}

func newReviews(client kubernetes.Interface) *reviews {
	return &reviews{
		tokens:  client.AuthenticationV1().TokenReviews(),
		rights:  client.AuthorizationV1().SubjectAccessReviews(),
		senders: cache.NewLRUExpireCache(mostVerdicts),
		grants:  cache.NewLRUExpireCache(mostVerdicts),
	}
}

// who implements judge. A token for the API server itself will do: its default audience.
func (r *reviews) who(ctx context.Context, token string) (sender, error) {
	s := sender{key: sha256.Sum256([]byte(token))}
	if known, ok := r.senders.Get(s.key); ok {
		s.user = known.(authenticationv1.UserInfo)
	} else {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
		answer, err := r.tokens.Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return s, err
		}
		if answer.Status.Authenticated {
			s.user = answer.Status.User
		}
		r.senders.Add(s.key, s.user, believed(s.name() != ""))
	}
	if s.name() == "" {
		return s, errNobody
	}
	return s, nil
}

// grant is one thing that one token may do, or may not.
type grant struct {
	key             [sha256.Size]byte
	namespace, name string
}

// may implements judge.
func (r *reviews) may(ctx context.Context, s sender, namespace, name string) (bool, error) {
	g := grant{s.key, namespace, name}
	if known, ok := r.grants.Get(g); ok {
		return known.(bool), nil
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: s.user.Username, UID: s.user.UID, Groups: s.user.Groups, Extra: extra(s.user),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "create", Group: "cusme.dev", Resource: "loadscalers", Subresource: "readings", Namespace: namespace, Name: name,
		},
	}}
	answer, err := r.rights.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	r.grants.Add(g, answer.Status.Allowed, believed(answer.Status.Allowed))
	return answer.Status.Allowed, nil
}

func believed(good bool) time.Duration {
	if good {
		return trusted
	}
	return distrusted
}

// extra is what webhooks of the API server may want to know of a user.
func extra(u authenticationv1.UserInfo) map[string]authorizationv1.ExtraValue {
	out := make(map[string]authorizationv1.ExtraValue, len(u.Extra))
	for k, v := range u.Extra {
		out[k] = authorizationv1.ExtraValue(v)
	}
	return out
}
