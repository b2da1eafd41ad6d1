// Package secrets watches the Secrets that loads take their credentials from.
//
// Each is watched by itself, by its name, from the first time somebody wants it
// until nobody has for a while. So cusme needs no right on Secrets of its own:
// whoever wants one read grants get, list and watch of that one, in its own
// namespace. Of a Secret only its data is kept, and nothing is ever logged.
package secrets

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// idleTime is how long a Secret is watched that nobody wants any more.
const idleTime = 10 * time.Minute

// Secrets are those that somebody wants. All methods may be called at any time
// from anywhere.
type Secrets struct {
	client  kubernetes.Interface
	account rbacv1.Subject
	context context.Context // ends with Close; watches outlive the call that begins them
	end     context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	watched map[types.NamespacedName]*secret
	limits  map[string]*rate.Limiter // of requests, by namespace
}

// New returns Secrets that are read by an account, to which its owner grants them.
// Each namespace has a limit of its own on requests, of 20 per second: the client
// should have none, by which Secrets of one, granted to nobody, would keep
// waiting those of all.
func New(client kubernetes.Interface, account rbacv1.Subject) *Secrets {
	ctx, end := context.WithCancel(context.Background())
	return &Secrets{client: client, account: account, context: ctx, end: end, watched: map[types.NamespacedName]*secret{}, limits: map[string]*rate.Limiter{}}
}

// Close ends all watches, and returns when every goroutine has ended. Nothing
// is known any more.
func (s *Secrets) Close() {
	s.end()
	s.mu.Lock()
	for _, w := range s.watched {
		w.idle.Stop()
	}
	clear(s.watched)
	s.mu.Unlock()
	s.running.Wait()
}

// Value returns the value of a key of a Secret as it was last seen. Of one that
// was not seen yet it waits for the first sight, no longer than ctx. The error
// is a NotGrantedError, a NotFoundError or a NoKeyError, or says what keeps the
// Secret from being seen. A right that is granted later is noticed within 10 s,
// in a namespace with no more than 150 Secrets that are not granted.
func (s *Secrets) Value(ctx context.Context, namespace, name, key string) (string, error) {
	of := types.NamespacedName{Namespace: namespace, Name: name}
	for {
		seen, changed := s.look(of)
		switch {
		case seen.denied:
			return "", NotGrantedError{Namespace: namespace, Name: name}
		case seen.missing:
			return "", NotFoundError{Namespace: namespace, Name: name}
		case seen.data != nil:
			value, ok := seen.data[key]
			if !ok {
				return "", NoKeyError{Namespace: namespace, Name: name, Key: key}
			}
			return string(value), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", fmt.Errorf("no sight of Secret %s/%s yet%s", namespace, name, seen.because())
		case <-s.context.Done():
			return "", fmt.Errorf("no sight of Secret %s/%s any more: cusme ends", namespace, name)
		}
	}
}

// Denied reports whether a Secret may not be read. It is not known of a Secret
// that nobody wanted lately, and before the API server has answered.
func (s *Secrets) Denied(namespace, name string) (denied, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watched[types.NamespacedName{Namespace: namespace, Name: name}]
	if w == nil {
		return false, false
	}
	return w.seen.denied, w.seen.denied || w.seen.missing || w.seen.data != nil
}

// Grant is what to apply for Secrets of a namespace to be read: a Role and a
// RoleBinding for each, as one line of JSON.
func (s *Secrets) Grant(namespace string, names []string) string {
	return grant(s.account, namespace, names)
}

// look returns what was seen last, and what is closed when there is more to see.
// It begins to watch, and puts off the end of that.
func (s *Secrets) look(of types.NamespacedName) (sight, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watched[of]
	if w == nil {
		w = s.watch(of)
	}
	w.wanted = time.Now()
	return w.seen, w.changed
}

// watch begins to watch a Secret. s.mu is held.
func (s *Secrets) watch(of types.NamespacedName) *secret {
	ctx, stop := context.WithCancel(s.context)
	w := &secret{of: of, secrets: s, stop: stop, changed: make(chan struct{}), limit: s.limits[of.Namespace]}
	if w.limit == nil {
		w.limit = rate.NewLimiter(requestsPerSecond, requestsInBurst)
		s.limits[of.Namespace] = w.limit
	}
	w.idle = time.AfterFunc(idleTime, func() { s.rest(w) })
	s.watched[of] = w
	if s.context.Err() == nil {
		s.running.Go(func() { w.run(ctx, s.client) })
	}
	return w
}

// rest ends the watch of a Secret that nobody has wanted for a while.
func (s *Secrets) rest(w *secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := idleTime - time.Since(w.wanted); left > 0 {
		w.idle.Reset(left)
		return
	}
	w.stop()
	if s.watched[w.of] == w {
		delete(s.watched, w.of)
	}
}

// tell keeps what was seen, and wakes those who wait for it.
func (s *Secrets) tell(w *secret, change func(*sight)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&w.seen)
	close(w.changed)
	w.changed = make(chan struct{})
}

// A sight is what is known of a Secret. The zero sight knows nothing.
type sight struct {
	data    map[string][]byte // nil but for a Secret that is there
	missing bool
	denied  bool
	trouble error // of the last attempt; what was seen before stays true as far as anybody knows
}

// because says what keeps a Secret from being seen.
func (s sight) because() string {
	if s.trouble == nil {
		return ""
	}
	return ": " + s.trouble.Error()
}

// failed is the sight after an attempt that brought nothing. A right that was
// taken back is respected at once; an API server that is away changes nothing.
func (s *sight) failed(err error) {
	if apierrors.IsForbidden(err) {
		*s = sight{denied: true}
		return
	}
	s.trouble = err
}
