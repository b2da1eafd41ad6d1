package push

import (
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"
)

// Loads per second of one sender, or to one LoadScaler. A load that changes more
// often than that moves nothing faster: a decision and its write take longer.
const (
	perSecond = 20
	inBurst   = 40
)

// mostLimits of each kind are kept; one unused for a minute is full again anyway.
const (
	mostLimits = 4096
	limitKept  = time.Minute
)

type limits struct{ host, sender, scaler *limit }

func newLimits() limits {
	return limits{newLimit(newPerSecond, newInBurst), newLimit(perSecond, inBurst), newLimit(perSecond, inBurst)}
}

// A limit bounds how often each of many things happens.
type limit struct {
	perSecond rate.Limit
	inBurst   int

	mu sync.Mutex
	of *cache.LRUExpireCache
}

func newLimit(perSecond rate.Limit, inBurst int) *limit {
	return &limit{perSecond: perSecond, inBurst: inBurst, of: cache.NewLRUExpireCache(mostLimits)}
}

// allow reports whether one more is within the limit, and counts it.
func (l *limit) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := rate.NewLimiter(l.perSecond, l.inBurst)
	if known, ok := l.of.Get(key); ok {
		limiter = known.(*rate.Limiter)
	}
	l.of.Add(key, limiter, limitKept)
	return limiter.Allow()
}

// quiet is how long no more is told of a sender.
const quiet = time.Minute

// complaints tells of each sender, or whatever else is in trouble, once a minute.
type complaints struct {
	log  logr.Logger
	told *cache.LRUExpireCache
}

func newComplaints(log logr.Logger) *complaints {
	return &complaints{log, cache.NewLRUExpireCache(mostLimits)}
}

func (c *complaints) tell(about, what string, more ...any) {
	if _, told := c.told.Get(about); told {
		return
	}
	c.told.Add(about, true, quiet)
	c.log.Info(what, more...)
}

// Write takes what the HTTP server has to say, such as of a client that does not
// trust the certificate.
func (c *complaints) Write(line []byte) (int, error) {
	c.tell("connection", "a connection for a pushed load failed", "error", strings.TrimSpace(string(line)))
	return len(line), nil
}
