package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// A backend is an endpoint in memory: it notes when it was asked, and answers
// as it is told.
type backend struct {
	mu     sync.Mutex
	asked  []time.Duration // since it was made
	made   time.Time
	says   string
	err    error
	takes  time.Duration
	closed int
}

func (b *backend) connect(surroundings) endpoint { return b }

func (b *backend) ask(ctx context.Context, _ time.Duration) (answer, error) {
	b.mu.Lock()
	b.asked = append(b.asked, time.Since(b.made))
	says, err, takes := b.says, b.err, b.takes
	b.mu.Unlock()
	select {
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-time.After(takes):
	}
	return answer{body: []byte(says), received: time.Now(), at: time.Now()}, err
}

func (b *backend) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
}

func (b *backend) now(says string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.says, b.err = says, err
}

func (b *backend) times() []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// A stage is a set of readings over backends in memory, found by host name.
type stage struct {
	*Readings
	backends map[string]*backend
	opened   atomic.Int32
}

func newStage(t *testing.T, hosts ...string) *stage {
	s := &stage{Readings: NewReadings(Options{Door: anyDoor}), backends: map[string]*backend{}}
	for _, h := range hosts {
		s.backends[h] = &backend{made: time.Now(), says: `{"load": 0.5, "other": 7}`}
	}
	open := s.open
	s.open = func(scaler string, loads []v1alpha1.Load) ([]Source, error) {
		s.opened.Add(1)
		sources, err := open(scaler, loads)
		for i, l := range loads {
			if l.HTTP != nil && err == nil {
				sources[i].from = s.backends[strings.TrimPrefix(l.HTTP.URL, "http://")]
			}
		}
		return sources, err
	}
	t.Cleanup(s.Close)
	return s
}

func (s *stage) follow(t *testing.T, scaler string, wake func(), loads ...v1alpha1.Load) {
	t.Helper()
	if err := s.Follow(scaler, loads, interval, wake); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// expect compares a scaler's readings, written as value and problem.
func (s *stage) expect(t *testing.T, scaler string, want ...string) {
	t.Helper()
	var got []string
	for _, r := range s.Latest(scaler) {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %v %s", r.Load, r.Value, r.Problem)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s reads %q, want %q", scaler, got, want)
	}
}

func loadOf(name, host, value string) v1alpha1.Load {
	return v1alpha1.Load{Name: name, HTTP: &v1alpha1.HTTPSource{URL: "http://" + host, Value: value}}
}

func wait(d time.Duration) {
	time.Sleep(d) // the bubble's clock: no real time passes
	synctest.Wait()
}

type counting struct {
	url   string
	asked atomic.Int32
}

func newCounting(t *testing.T) *counting {
	c := &counting{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c.asked.Add(1)
		io.WriteString(w, `{"load": 0.5}`)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}
