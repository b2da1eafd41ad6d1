package push

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// An office is an API server's reviews, which count.
type office struct {
	known, allowed bool
	broken         error
	tokens, rights int
	lastToken      authenticationv1.TokenReviewSpec
	lastRight      authorizationv1.SubjectAccessReviewSpec
}

func (o *office) reviews() *reviews {
	client := fake.NewClientset()
	client.PrependReactor("create", "tokenreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		o.tokens++
		review := a.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		o.lastToken = review.Spec
		review.Status.Authenticated = o.known
		if o.known {
			review.Status.User = authenticationv1.UserInfo{Username: "webui", UID: "7", Groups: []string{"g"}, Extra: map[string]authenticationv1.ExtraValue{"k": {"v"}}}
		} else {
			review.Status.Error = "invalid bearer token"
		}
		return true, review, o.broken
	})
	client.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		o.rights++
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		o.lastRight = review.Spec
		review.Status.Allowed = o.allowed
		return true, review, o.broken
	})
	r := newReviews(client)
	r.senders, r.grants = cache.NewLRUExpireCacheWithClock(mostVerdicts, clock{}), cache.NewLRUExpireCacheWithClock(mostVerdicts, clock{})
	return r
}

// TestVerdictsAreBelievedForAWhile: good ones for ten seconds, bad ones for two, no answer not at all.
func TestVerdictsAreBelievedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{}
		r := o.reviews()
		review := func(want error, may bool, tokens, rights int) {
			t.Helper()
			for range 3 {
				s, err := r.who(t.Context(), "hush")
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
				if want == nil {
					if got, err := r.may(t.Context(), s, "shop", "webui"); got != may || err != nil {
						t.Errorf("may: %v, %v; want %v", got, err, may)
					}
				}
			}
			if o.tokens != tokens || o.rights != rights {
				t.Errorf("%d tokens and %d rights were reviewed, want %d and %d", o.tokens, o.rights, tokens, rights)
			}
		}
		review(errNobody, false, 1, 0)
		o.known = true
		review(errNobody, false, 1, 0)
		time.Sleep(distrusted + time.Millisecond)
		review(nil, false, 2, 1)
		o.allowed = true
		time.Sleep(distrusted + time.Millisecond)
		review(nil, true, 2, 2)
		o.known, o.allowed = false, false
		review(nil, true, 2, 2)
		time.Sleep(trusted + time.Millisecond)
		review(errNobody, false, 3, 2)

		o.broken = errors.New("timeout")
		time.Sleep(distrusted + time.Millisecond)
		review(o.broken, false, 6, 2)
	})
}

// TestWhatIsReviewed: the token for the API server itself, and exactly one right, with all that is known of the user.
func TestWhatIsReviewed(t *testing.T) {
	o := &office{known: true, allowed: true}
	r := o.reviews()
	s, err := r.who(t.Context(), "hush")
	if err != nil || o.lastToken.Token != "hush" || o.lastToken.Audiences != nil {
		t.Fatalf("%v; reviewed %+v", err, o.lastToken)
	}
	if _, err := r.may(t.Context(), s, "shop", "webui"); err != nil {
		t.Fatal(err)
	}
	want := authorizationv1.ResourceAttributes{Namespace: "shop", Verb: "create", Group: "cusme.dev", Resource: "loadscalers", Subresource: "readings", Name: "webui"}
	if got := o.lastRight; *got.ResourceAttributes != want || got.User != "webui" || got.UID != "7" || got.Groups[0] != "g" || got.Extra["k"][0] != "v" {
		t.Errorf("reviewed %+v", got)
	}
	o.allowed = false
	if may, _ := r.may(t.Context(), s, "shop", "other"); may {
		t.Error("one grant is taken for another")
	}
	o.broken = errors.New("timeout")
	if _, err := r.may(t.Context(), s, "bank", "webui"); err == nil {
		t.Error("no answer is taken for a verdict")
	}
}
