package transport

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cusme.dev/cusme/api/v1alpha1"
)

// TestPlacesAtAHost: 16 requests go to one at a time, and the next when one of them has ended.
func TestPlacesAtAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hosts
		var under, most, done atomic.Int32
		for range 3 * hostLimit {
			go func() {
				leave, err := h.enter(t.Context(), "gateway:80")
				if err != nil {
					t.Error(err)
				}
				most.Store(max(most.Load(), under.Add(1)))
				time.Sleep(hostPatience / 4)
				under.Add(-1)
				leave()
				leave() // counts once
				done.Add(1)
			}()
		}
		time.Sleep(hostPatience)
		synctest.Wait()
		if most.Load() != hostLimit || done.Load() != 3*hostLimit || len(h.lanes) != 0 {
			t.Errorf("%d were under way, %d are done, %d lanes are left", most.Load(), done.Load(), len(h.lanes))
		}
	})
}

// TestHangingEndpointsDelayNobodyElse behind the same gateway by more than a second, or half of the time there is.
func TestHangingEndpointsDelayNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hosts
		for range 100 * hostLimit {
			go func() { _, _ = h.enter(t.Context(), "gateway:80") }() // and never leaves
		}
		synctest.Wait()
		for within, most := range map[time.Duration]time.Duration{time.Minute: time.Second, 300 * time.Millisecond: 150 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			began := time.Now()
			leave, err := h.enter(ctx, "gateway:80")
			if err != nil || time.Since(began) > most {
				t.Errorf("within %s: let in after %s, %v", within, time.Since(began), err)
			} else {
				leave()
			}
			cancel()
			if _, err := h.enter(ctx, "gateway:80"); err == nil {
				t.Error("let in after the end")
			}
		}
	})
}

// TestPlacesAreGivenBack with the body, and by requests that fail.
func TestPlacesAreGivenBack(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	d := open(nil)
	mustGet(t, tripper(t, d, v1alpha1.Connection{}), server.URL)
	server.Close()
	if _, err := get(t, tripper(t, d, v1alpha1.Connection{}), server.URL); err == nil {
		t.Error("answered though closed")
	}
	if len(d.hosts.lanes) != 0 {
		t.Errorf("%d lanes are left", len(d.hosts.lanes))
	}
}
