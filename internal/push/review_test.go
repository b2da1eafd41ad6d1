package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// An office is an API server's reviews, which count.
type office struct {
	known, allowed, denied bool
	// fails, if set, answers in place of a review.
	fails          func(*http.Request) (*http.Response, error)
	slow           time.Duration
	mu             sync.Mutex
	tokens, rights int
	lastToken      authenticationv1.TokenReviewSpec
	lastRight      authorizationv1.SubjectAccessReviewSpec
}

func (o *office) reviews(t *testing.T) *reviews {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "https://api.test", Transport: o, QPS: reviewsPerSecond, Burst: reviewsInBurst, Timeout: reviewTimeout})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newReviews(client, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// RoundTrip is the way to the office.
func (o *office) RoundTrip(req *http.Request) (*http.Response, error) {
	review, err := o.review(req)
	if err != nil {
		return nil, err
	}
	if o.fails != nil {
		return o.fails(req)
	}
	time.Sleep(o.slow)
	return answer(http.StatusCreated, review), nil
}

func (o *office) review(req *http.Request) (review any, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch req.URL.Path {
	case "/apis/authentication.k8s.io/v1/tokenreviews":
		o.tokens++
		review = o.token(req)
	case "/apis/authorization.k8s.io/v1/subjectaccessreviews":
		o.rights++
		review = o.right(req)
	default:
		err = errors.New("asked for " + req.URL.Path)
	}
	return review, err
}

func (o *office) token(req *http.Request) *authenticationv1.TokenReview {
	var review authenticationv1.TokenReview
	_ = json.NewDecoder(req.Body).Decode(&review) // what is missing is compared
	o.lastToken = review.Spec
	review.Status.Authenticated = o.known
	if o.known {
		review.Status.User = authenticationv1.UserInfo{Username: "webui", UID: "7", Groups: []string{"g"}, Extra: map[string]authenticationv1.ExtraValue{"k": {"v"}}}
	} else {
		review.Status.Error = "[invalid bearer token, square/go-jose: error in cryptographic primitive]"
	}
	return &review
}

func (o *office) right(req *http.Request) *authorizationv1.SubjectAccessReview {
	var review authorizationv1.SubjectAccessReview
	_ = json.NewDecoder(req.Body).Decode(&review)
	o.lastRight = review.Spec
	review.Status.Allowed, review.Status.Denied = o.allowed, o.denied
	return &review
}

func answer(status int, body any) *http.Response {
	text, _ := json.Marshal(body)
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text))}
}

// failing answers each request with an error of the API server's.
func failing(err *apierrors.StatusError) func(*http.Request) (*http.Response, error) {
	status := err.ErrStatus
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return func(*http.Request) (*http.Response, error) { return answer(int(status.Code), status), nil }
}

// hanging is an API server that does not answer.
func hanging(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

var (
	forbidden = apierrors.NewForbidden(schema.GroupResource{Group: "authentication.k8s.io", Resource: "tokenreviews"}, "", errors.New(`cusme cannot create resource "tokenreviews"`))
	inTrouble = apierrors.NewInternalError(errors.New("etcd is away"))
	webui     = &user.DefaultInfo{Name: "webui"}
)

// TestVerdictsAreBelievedForAWhile: good ones for ten seconds, bad ones for two, no answer not at all.
func TestVerdictsAreBelievedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{}
		r := o.reviews(t)
		review := func(nobody, may bool, tokens, rights int) {
			t.Helper()
			for range 3 {
				s, err := r.who(t.Context(), "hush")
				if errors.Is(err, errNobody) != nobody || err != nil && !nobody {
					t.Errorf("who: %v, %v; want nobody: %v", s, err, nobody)
				}
				if err != nil {
					continue
				}
				if got, err := r.may(t.Context(), s, "shop", "webui"); got != may || err != nil {
					t.Errorf("may: %v, %v; want %v", got, err, may)
				}
			}
			if o.tokens != tokens || o.rights != rights {
				t.Errorf("%d tokens and %d rights were reviewed, want %d and %d", o.tokens, o.rights, tokens, rights)
			}
		}
		review(true, false, 1, 0)
		o.known = true
		review(true, false, 1, 0)
		time.Sleep(distrusted + time.Millisecond)
		review(false, false, 2, 1)
		o.allowed = true
		time.Sleep(distrusted + time.Millisecond)
		review(false, true, 2, 2)
		o.known, o.allowed = false, false
		review(false, true, 2, 2)
		time.Sleep(trusted + time.Millisecond)
		review(true, false, 3, 2)
		time.Sleep(distrusted + time.Millisecond)

		o.known, o.fails = true, failing(forbidden)
		for range 3 {
			if s, err := r.who(t.Context(), "hush"); err == nil || errors.Is(err, errNobody) {
				t.Errorf("no answer is taken for a verdict: %v, %v", s, err)
			}
		}
		o.fails = nil
		review(false, false, 7, 3)
	})
}

// TestWhatIsReviewed: the token for the API server itself, and exactly one right, with all that is known of the user.
func TestWhatIsReviewed(t *testing.T) {
	o := &office{known: true, allowed: true}
	r := o.reviews(t)
	s, err := r.who(t.Context(), "hush")
	if err != nil || o.lastToken.Token != "hush" || o.lastToken.Audiences != nil {
		t.Fatalf("%v; reviewed %+v", err, o.lastToken)
	}
	if may, err := r.may(t.Context(), s, "shop", "webui"); err != nil || !may {
		t.Fatal(may, err)
	}
	want := authorizationv1.ResourceAttributes{Namespace: "shop", Verb: "create", Group: "cusme.dev", Resource: "loadscalers", Subresource: "readings", Name: "webui"}
	if got := o.lastRight; *got.ResourceAttributes != want || got.User != "webui" || got.UID != "7" || got.Groups[0] != "g" || got.Extra["k"][0] != "v" {
		t.Errorf("reviewed %+v", got)
	}
	o.allowed = false
	if may, _ := r.may(t.Context(), s, "shop", "other"); may {
		t.Error("one grant is taken for another")
	}
	if may, _ := r.may(t.Context(), webui, "shop", "webui"); may {
		t.Error("one account's grant is taken for another's")
	}
	o.known = false
	if _, err := r.who(t.Context(), "another"); !errors.Is(err, errNobody) {
		t.Errorf("got %v, want that another token is nobody's", err)
	}
}

// TestNoVerdict: whatever is no review says neither who sends nor what they may, nor that a token is bad.
func TestNoVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		fails func(*http.Request) (*http.Response, error)
		asked int // how often
		says  string
	}{
		"nobody there":       {func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, 1, "connection refused"},
		"no answer":          {hanging, 1, "deadline exceeded"},
		"forbidden":          {failing(forbidden), 1, `cusme cannot create resource "tokenreviews"`},
		"in trouble":         {failing(inTrouble), 2, "etcd is away"},
		"another's own page": {func(*http.Request) (*http.Response, error) { return answer(http.StatusOK, "log in"), nil }, 1, "json"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &office{known: true, allowed: true, fails: c.fails}
				r := o.reviews(t)
				began := time.Now()
				s, err := r.who(t.Context(), "hush")
				if s != nil || err == nil || errors.Is(err, errNobody) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hush") {
					t.Errorf("who: %v, %v; want %s", s, err, c.says)
				}
				may, err := r.may(t.Context(), webui, "shop", "webui")
				if may || err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("may: %v, %v; want %s", may, err, c.says)
				}
				if o.tokens != c.asked || o.rights != c.asked {
					t.Errorf("asked %d and %d times, want %d", o.tokens, o.rights, c.asked)
				}
				if took := time.Since(began); took > 2*reviewTimeout {
					t.Errorf("took %s, want each within %s", took, reviewTimeout)
				}
			})
		})
	}
}

// TestContradiction: what is both allowed and denied is not allowed.
func TestContradiction(t *testing.T) {
	o := &office{allowed: true, denied: true}
	if may, err := o.reviews(t).may(t.Context(), webui, "shop", "webui"); may || err == nil {
		t.Errorf("may: %v, %v; want an error", may, err)
	}
}

// TestOnceMore: an API server that was in trouble for a moment refuses nobody.
func TestOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{known: true, allowed: true}
		o.fails = func(req *http.Request) (*http.Response, error) {
			o.fails = nil
			return failing(inTrouble)(req)
		}
		r := o.reviews(t)
		if _, err := r.who(t.Context(), "hush"); err != nil || o.tokens != 2 {
			t.Errorf("%v after %d reviews, want a verdict after 2", err, o.tokens)
		}
	})
}

// TestTogether: of many pushes at once with one token, one is reviewed.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{known: true, slow: time.Second}
		r := o.reviews(t)
		var sending sync.WaitGroup
		for range 20 {
			sending.Go(func() {
				if _, err := r.who(t.Context(), "hush"); err != nil {
					t.Error(err)
				}
			})
		}
		sending.Wait()
		if o.tokens != 1 {
			t.Errorf("reviewed %d times, want once", o.tokens)
		}
	})
}

// TestQuiet: klog gets a line of each review that failed, which tells no token, and which Quiet leaves out.
func TestQuiet(t *testing.T) {
	t.Cleanup(klog.ClearLogger)
	told := func(wrap func(logr.Logger) logr.Logger) string {
		var text strings.Builder
		klog.SetLogger(wrap(logr.FromSlogHandler(slog.NewTextHandler(&text, nil))))
		r := (&office{fails: failing(forbidden)}).reviews(t)
		_, _ = r.who(t.Context(), "hush")
		_, _ = r.may(t.Context(), webui, "shop", "webui")
		klog.ErrorS(nil, "a watch failed", "of", "pods")
		klog.Background().WithName("x").WithValues("y", "z").Error(nil, "a lease failed")
		return text.String()
	}
	loud := told(func(l logr.Logger) logr.Logger { return l })
	if strings.Count(loud, "Failed to make webhook") != 2 || strings.Contains(loud, "hush") {
		t.Errorf("klog got %s", loud)
	}
	quiet := told(Quiet)
	if strings.Contains(quiet, "webhook") || !strings.Contains(quiet, "a watch failed") || !strings.Contains(quiet, "a lease failed") {
		t.Errorf("klog got %s", quiet)
	}
}
