package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// hosts is on how many ports the services of a bench listen: a limit of
// requests at a time per host and port is to bite where it would in a cluster.
const hosts = 25

// A service is an application that reports its load, counts who asks, and may be sick.
type service struct {
	url  string
	sick string // hangs, fails or empty

	mu    sync.Mutex
	asked []time.Time // when each request came
	rose  time.Time   // when the load rose; zero for one that did not
	told  time.Time   // when that was answered for the first time
}

// newServices starts so many services, one in twenty of which hangs, and one in
// twenty of which fails.
func newServices(b *testing.B, n int) []*service {
	b.Helper()
	muxes := make([]*http.ServeMux, hosts)
	urls := make([]string, hosts)
	for i := range hosts {
		muxes[i] = http.NewServeMux()
		server := httptest.NewServer(muxes[i])
		b.Cleanup(server.Close)
		urls[i] = server.URL
	}
	services := make([]*service, n)
	for i := range services {
		path := fmt.Sprintf("/%d/load", i)
		services[i] = &service{url: urls[i%hosts] + path, sick: map[int]string{7: "hangs", 13: "fails"}[i%20]}
		muxes[i%hosts].Handle(path, services[i])
	}
	return services
}

// ServeHTTP answers 0.6, which is within the band; once after a rise 0.95: more would fill the nodes.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch s.sick {
	case "hangs":
		<-r.Context().Done()
	case "fails":
		http.Error(w, "out of memory", http.StatusInternalServerError)
	default:
		fmt.Fprintf(w, `{"data":{"load_balance":%s,"running":3,"waiting":0}}`, s.note())
	}
}

// note counts a request and returns the load to answer it with.
func (s *service) note() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.asked = append(s.asked, now)
	if s.rose.IsZero() || !s.told.IsZero() {
		return "0.6"
	}
	s.told = now
	return "0.95"
}

// rise raises the load, until it was answered once.
func (s *service) rise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rose, s.told = time.Now(), time.Time{}
}

// perInterval counts the requests in each whole interval from a moment on. An
// interval begins half of one before a request, so that none lies on its edge.
func (s *service) perInterval(from time.Time, interval time.Duration, n int) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := slices.IndexFunc(s.asked, from.Before)
	counts := make([]int, n)
	if first < 0 {
		return counts
	}
	begin := s.asked[first].Add(-interval / 2)
	for _, at := range s.asked[first:] {
		if i := int(at.Sub(begin) / interval); i < n {
			counts[i]++
		}
	}
	return counts
}

// healthy returns those that are not sick.
func healthy(services []*service) []*service {
	return slices.DeleteFunc(slices.Clone(services), func(s *service) bool { return s.sick != "" })
}
