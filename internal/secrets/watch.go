package secrets

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

// retries are after 1, 2, 4 and then every 8 s, or up to a fifth more: a right
// that is granted is noticed within 10 s.
var retries = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 4, Cap: 8 * time.Second}

// Requests of one namespace's watches per second, and in a burst. They have a
// limit of their own, so that Secrets nobody grants never hold up a move, and
// those of a namespace no other's.
const (
	requestsPerSecond = 20
	requestsInBurst   = 40
)

// retryReset is how long it takes until the waits begin at 1 s again.
const retryReset = 2 * time.Minute

// A secret is one that is watched. Its fields from wanted on are guarded by Secrets.mu.
type secret struct {
	of      types.NamespacedName
	secrets *Secrets
	stop    context.CancelFunc
	limit   *rate.Limiter // of the namespace's requests
	idle    *time.Timer

	wanted  time.Time
	seen    sight
	changed chan struct{} // closed when seen changes
}

var _ cache.ReflectorStore = (*secret)(nil)

// run watches until ctx ends.
func (w *secret) run(ctx context.Context, client kubernetes.Interface) {
	silence := logr.Discard() // what is wrong is told by whoever wants the Secret
	r := cache.NewReflectorWithOptions(w.only(client), &corev1.Secret{}, w, cache.ReflectorOptions{Name: "secret", Logger: &silence})
	_ = retries.DelayWithReset(clock.RealClock{}, retryReset).Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		if err := r.ListAndWatchWithContext(logr.NewContext(ctx, silence)); err != nil {
			w.secrets.tell(w, func(s *sight) { s.failed(err) })
		}
		return false, nil
	}) // the error is only that ctx has ended
}

// only lists and watches this one Secret: more may not be granted.
func (w *secret) only(client kubernetes.Interface) cache.ListerWatcher {
	secrets := client.CoreV1().Secrets(w.of.Namespace)
	named := fields.OneTermEqualSelector(metav1.ObjectNameField, w.of.Name).String()
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = named
			if err := w.limit.Wait(ctx); err != nil {
				return nil, err
			}
			return secrets.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = named
			if err := w.limit.Wait(ctx); err != nil {
				return nil, err
			}
			return secrets.Watch(ctx, o)
		},
	}, client)
}

// Add, Update, Delete and Replace are what the watch tells.
func (w *secret) Add(obj any) error { return w.Update(obj) }

func (w *secret) Update(obj any) error {
	data := map[string][]byte{}
	if s, ok := obj.(*corev1.Secret); ok && s.Data != nil {
		data = s.Data
	}
	w.secrets.tell(w, func(s *sight) { *s = sight{data: data} })
	return nil
}

func (w *secret) Delete(any) error {
	w.secrets.tell(w, func(s *sight) { *s = sight{missing: true} })
	return nil
}

func (w *secret) Replace(all []any, _ string) error {
	if len(all) == 0 {
		return w.Delete(nil)
	}
	return w.Update(all[0])
}

// Resync has nothing to do: what was seen is all there is.
func (w *secret) Resync() error { return nil }
