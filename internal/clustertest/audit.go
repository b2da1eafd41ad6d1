package clustertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Request is one request that the API server has answered, or for a watch begun to answer, as its audit log has it.
type Request struct {
	// ID tells requests apart.
	ID string
	// Received is when the API server got it, to the microsecond.
	Received time.Time
	// User made it, such as system:serviceaccount:cusme:cusme.
	User string
	// UserAgent of the client, such as "cusme/v1 (linux/amd64)".
	UserAgent string
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb string
	// Resource is a plural, with its subresource if there is one: pods, deployments/scale.
	Resource string
	// Namespace and Name of the object; either may be empty.
	Namespace, Name string
	// URI is the path and query.
	URI string
	// Code is the HTTP status answered.
	Code int
}

// Filter picks requests; an empty field picks all.
type Filter struct {
	// UserAgent picks user agents that begin so.
	UserAgent string
	// User picks one user.
	User string
	// Verbs picks any of several verbs.
	Verbs []string
	// Resource picks one resource, written as in Request.
	Resource string
	// Namespace picks one namespace.
	Namespace string
}

func (f Filter) picks(r Request) bool {
	return strings.HasPrefix(r.UserAgent, f.UserAgent) &&
		(f.User == "" || f.User == r.User) &&
		(len(f.Verbs) == 0 || slices.Contains(f.Verbs, r.Verb)) &&
		(f.Resource == "" || f.Resource == r.Resource) &&
		(f.Namespace == "" || f.Namespace == r.Namespace)
}

// Mark is a place in the audit log.
type Mark int64

// Mark returns the present end of the audit log, so that Requests can begin there.
func (c *Cluster) Mark(t testing.TB) Mark {
	t.Helper()
	info, err := os.Stat(c.auditLog())
	if err != nil {
		t.Fatalf("find the end of the audit log: %v", err)
	}
	return Mark(info.Size())
}

// Requests returns the requests that came into the audit log after a mark (0 is the cluster's start) and that the filter
// picks, oldest first. A request is logged just after its answer is sent: wait with Eventually for one that must be there.
func (c *Cluster) Requests(t testing.TB, since Mark, f Filter) []Request {
	t.Helper()
	log, err := os.Open(c.auditLog())
	if err != nil {
		t.Fatalf("read the audit log: %v", err)
	}
	defer log.Close()
	if _, err := log.Seek(int64(since), io.SeekStart); err != nil {
		t.Fatalf("read the audit log from %d on: %v", since, err)
	}
	requests, err := readRequests(log)
	if err != nil {
		t.Fatalf("read the audit log: %v", err)
	}
	return slices.DeleteFunc(requests, func(r Request) bool { return !f.picks(r) })
}

func (c *Cluster) auditLog() string { return filepath.Join(c.dir, "audit.log") }

// readRequests reads whole lines; the API server may be in the middle of the last one. A watch is logged when it begins
// and again when it ends, and counts once.
func readRequests(log io.Reader) ([]Request, error) {
	var requests []Request
	seen := map[string]bool{}
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return requests, nil
		}
		if err != nil {
			return nil, err
		}
		var e auditEvent
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		if seen[e.AuditID] {
			continue
		}
		seen[e.AuditID] = true
		requests = append(requests, e.request())
	}
}

// auditEvent has what a Request needs of an audit.k8s.io/v1 Event. That type itself lives in k8s.io/apiserver, a server's
// worth of dependencies.
type auditEvent struct {
	AuditID   string `json:"auditID"`
	User      struct{ Username string }
	UserAgent string `json:"userAgent"`
	Verb      string `json:"verb"`
	URI       string `json:"requestURI"`
	Object    struct {
		Resource, Subresource, Namespace, Name string
	} `json:"objectRef"`
	Status   struct{ Code int } `json:"responseStatus"`
	Received time.Time          `json:"requestReceivedTimestamp"`
}

func (e auditEvent) request() Request {
	resource := e.Object.Resource
	if e.Object.Subresource != "" {
		resource += "/" + e.Object.Subresource
	}
	return Request{
		ID: e.AuditID, Received: e.Received, User: e.User.Username, UserAgent: e.UserAgent, Verb: e.Verb, Resource: resource,
		Namespace: e.Object.Namespace, Name: e.Object.Name, URI: e.URI, Code: e.Status.Code,
	}
}
