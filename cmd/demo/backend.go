package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// A backend plays the service that makes images: a queue of requests, served
// by whichever pods are ready in the cluster, and the load index over HTTP
// that cusme reads. Its queue moves only when somebody looks: looking replays
// what happened since the last look.
type backend struct {
	mu       sync.Mutex
	clock    func() time.Duration // since the demo's day began
	queue    *queue
	arrivals *arrivals
	next     request // the next one to arrive
	asked    int     // how often the load index was read
}

func newBackend(clock func() time.Duration, a *arrivals) *backend {
	b := &backend{clock: clock, queue: newQueue(), arrivals: a}
	b.next.arrived, b.next.service = a.next()
	return b
}

// catchUp replays what happened since the last look. The caller holds the lock.
func (b *backend) catchUp() {
	now := b.clock()
	for b.next.arrived <= now {
		b.queue.arrive(b.next.arrived, b.next.service)
		b.next.arrived, b.next.service = b.arrivals.next()
	}
	b.queue.advance(now)
}

// see tells the back end which pods there are; see queue.see.
func (b *backend) see(pods map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.catchUp()
	b.queue.see(b.queue.now, pods)
}

// business is the state of the queue at one moment.
type business struct {
	load             float64
	waiting, running int
	arrived, served  int
	again, asked     int
	longest          time.Duration
	waits            waitStats
}

func (b *backend) business() business {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.catchUp()
	q := b.queue
	return business{
		load: q.load(), waiting: len(q.waiting), running: q.running(),
		arrived: q.arrived, served: len(q.waits), again: q.again, asked: b.asked,
		longest: q.longest(), waits: q.stats(),
	}
}

// ServeHTTP answers with the load index in the shape the original cusme reads,
// and with the time at which it was true.
func (b *backend) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	b.catchUp()
	b.asked++
	load := b.queue.load()
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // a reader that went away is no fault of ours
		"data": map[string]any{"load_balance": load, "time": time.Now().Format(time.RFC3339Nano)},
	})
}

// serve opens the load index on a free loopback port and returns its URL.
// Closing the server ends it.
func (b *backend) serve() (*http.Server, string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("open a port for the back end's load index: %w", err)
	}
	server := &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with ErrServerClosed, always
	return server, "http://" + listener.Addr().String() + "/load", nil
}
