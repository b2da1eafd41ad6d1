package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"cusme.dev/cusme/internal/clustertest"
)

// A memoryAPI is an API server that has everything in memory, for more objects
// than a control plane of two processors holds: what cusme lists and watches
// comes from here, and what it writes goes here. A Deployment that is scaled
// has its new pods at once. It speaks JSON, and knows the requests of cusme's only.
type memoryAPI struct {
	server *httptest.Server

	mu       sync.Mutex
	changed  *sync.Cond
	version  int
	kinds    map[string]*memoryKind // by path, such as apis/apps/v1/deployments
	requests []clustertest.Request
	ended    bool
}

// A memoryKind is all objects of a kind. They are kept as JSON, which takes the
// least memory, and their changes in order.
type memoryKind struct {
	gvk     metav1.TypeMeta
	objects map[string][]byte // by namespace/name
	log     []memoryEvent
}

type memoryEvent struct {
	version int
	kind    string // ADDED, MODIFIED
	object  []byte
}

const (
	podsPath        = "api/v1/pods"
	nodesPath       = "api/v1/nodes"
	deploymentsPath = "apis/apps/v1/deployments"
	replicaSetsPath = "apis/apps/v1/replicasets"
	scalersPath     = "apis/cusme.dev/v1alpha1/loadscalers"
)

// newMemoryAPI starts one without objects.
func newMemoryAPI(b *testing.B) *memoryAPI {
	b.Helper()
	kind := func(apiVersion, kind string) *memoryKind {
		return &memoryKind{gvk: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}, objects: map[string][]byte{}}
	}
	m := &memoryAPI{version: 1, kinds: map[string]*memoryKind{
		podsPath:        kind("v1", "Pod"),
		nodesPath:       kind("v1", "Node"),
		deploymentsPath: kind("apps/v1", "Deployment"),
		replicaSetsPath: kind("apps/v1", "ReplicaSet"),
		scalersPath:     kind("cusme.dev/v1alpha1", "LoadScaler"),
	}}
	m.changed = sync.NewCond(&m.mu)
	m.server = httptest.NewServer(m)
	b.Cleanup(func() {
		m.mu.Lock()
		m.ended = true
		m.changed.Broadcast()
		m.mu.Unlock()
		m.server.Close()
	})
	return m
}

// kubeconfig writes the file that leads here.
func (m *memoryAPI) kubeconfig(b *testing.B) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: m, contexts: [{name: m, context: {cluster: m, user: m}}],
clusters: [{name: m, cluster: {server: %q}}], users: [{name: m, user: {}}]}`, m.server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

// put keeps a new version of an object, and shows it to the watches. m.mu is held.
func (m *memoryAPI) put(path string, object metav1.Object) []byte {
	m.version++
	object.SetResourceVersion(strconv.Itoa(m.version))
	text, err := json.Marshal(object)
	if err != nil {
		panic(err) // they are Kubernetes' own types
	}
	k, key, event := m.kinds[path], object.GetNamespace()+"/"+object.GetName(), "MODIFIED"
	if _, exists := k.objects[key]; !exists {
		event = "ADDED"
	}
	k.objects[key] = text
	k.log = append(k.log, memoryEvent{m.version, event, text})
	m.changed.Broadcast()
	return text
}

// add puts objects from outside.
func (m *memoryAPI) add(path string, objects ...metav1.Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range objects {
		m.put(path, o)
	}
}

// asked returns the requests since the start, watches included.
func (m *memoryAPI) asked() []clustertest.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.requests)
}

// ServeHTTP answers as an API server does.
func (m *memoryAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := clustertest.Request{Received: time.Now(), Verb: strings.ToLower(r.Method), URI: r.RequestURI}
	path, namespace, rest := split(r.URL.Path)
	got.Resource, got.Namespace = path[strings.LastIndex(path, "/")+1:], namespace
	if len(rest) > 0 {
		got.Name = rest[0]
	}
	if len(rest) > 1 {
		got.Resource += "/" + rest[1]
	}
	answer, code := m.answer(w, r, path, got)
	got.Code = code
	m.mu.Lock()
	m.requests = append(m.requests, got)
	m.mu.Unlock()
	if answer == nil {
		return // a watch, which has been answered
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(answer)
}

// split takes a path apart: to a kind, to a namespace, and what follows.
func split(path string) (kind, namespace string, rest []string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	base := 3 // apis/group/version
	if parts[0] == "api" {
		base = 2
	}
	if len(parts) <= base {
		return strings.Join(parts, "/"), "", nil
	}
	if parts[base] == "namespaces" && len(parts) > base+2 {
		namespace = parts[base+1]
		parts = slices.Delete(parts, base, base+2)
	}
	return strings.Join(parts[:base+1], "/"), namespace, parts[base+1:]
}

func (m *memoryAPI) answer(w http.ResponseWriter, r *http.Request, path string, got clustertest.Request) ([]byte, int) {
	key := got.Namespace + "/" + got.Name
	switch {
	case r.Method == http.MethodGet && m.kinds[path] != nil && r.URL.Query().Get("watch") != "":
		m.watch(w, r, m.kinds[path])
		return nil, http.StatusOK
	case r.Method == http.MethodGet && m.kinds[path] != nil && got.Name == "":
		return m.list(m.kinds[path]), http.StatusOK
	case r.Method == http.MethodPut && got.Resource == "deployments/scale":
		return m.scale(r.Body, key)
	case r.Method == http.MethodPatch && got.Resource == "loadscalers/status":
		return m.patch(r.Body, key)
	case r.Method == http.MethodPost && got.Resource == "selfsubjectaccessreviews":
		return m.allow(r.Body), http.StatusCreated
	case r.Method == http.MethodPost && got.Resource == "events":
		return []byte(`{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e"}}`), http.StatusCreated
	case r.Method == http.MethodGet:
		if d, ok := discovery()[path]; ok {
			return encoded(d), http.StatusOK
		}
	}
	return encoded(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonNotFound, Code: 404, Message: r.RequestURI + " is nothing this server knows"}), http.StatusNotFound
}

func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// discovery says which kinds there are.
func discovery() map[string]any {
	group := func(name, version string) metav1.APIGroup {
		v := metav1.GroupVersionForDiscovery{GroupVersion: name + "/" + version, Version: version}
		return metav1.APIGroup{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}, Name: name, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
	}
	resources := func(version string, all ...metav1.APIResource) metav1.APIResourceList {
		for i := range all {
			all[i].Verbs = metav1.Verbs{"create", "get", "list", "patch", "update", "watch"}
		}
		return metav1.APIResourceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: version, APIResources: all}
	}
	apps, cusme, events := group("apps", "v1"), group("cusme.dev", "v1alpha1"), group("events.k8s.io", "v1")
	return map[string]any{
		"api":            metav1.APIVersions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIVersions"}, Versions: []string{"v1"}},
		"apis":           metav1.APIGroupList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"}, Groups: []metav1.APIGroup{apps, cusme, events}},
		"apis/apps":      apps,
		"apis/cusme.dev": cusme, "apis/events.k8s.io": events,
		"api/v1": resources("v1", metav1.APIResource{Name: "pods", Kind: "Pod", Namespaced: true}, metav1.APIResource{Name: "nodes", Kind: "Node"}, metav1.APIResource{Name: "secrets", Kind: "Secret", Namespaced: true}),
		"apis/apps/v1": resources("apps/v1", metav1.APIResource{Name: "deployments", Kind: "Deployment", Namespaced: true}, metav1.APIResource{Name: "replicasets", Kind: "ReplicaSet", Namespaced: true},
			metav1.APIResource{Name: "deployments/scale", Kind: "Scale", Group: "autoscaling", Version: "v1", Namespaced: true}),
		"apis/cusme.dev/v1alpha1": resources("cusme.dev/v1alpha1", metav1.APIResource{Name: "loadscalers", Kind: "LoadScaler", Namespaced: true}, metav1.APIResource{Name: "loadscalers/status", Kind: "LoadScaler", Namespaced: true}),
		"apis/events.k8s.io/v1":   resources("events.k8s.io/v1", metav1.APIResource{Name: "events", Kind: "Event", Namespaced: true}),
	}
}

// list is what a client asks for that cannot take a list as a watch.
func (m *memoryAPI) list(k *memoryKind) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := slices.Collect(maps.Values(k.objects))
	raw := make([]json.RawMessage, len(items))
	for i := range items {
		raw[i] = items[i]
	}
	return encoded(map[string]any{"apiVersion": k.gvk.APIVersion, "kind": k.gvk.Kind + "List", "metadata": map[string]string{"resourceVersion": strconv.Itoa(m.version)}, "items": raw})
}

// watch shows the changes since a version; before, where it is asked for, all
// that there is, with a bookmark behind.
func (m *memoryAPI) watch(w http.ResponseWriter, r *http.Request, k *memoryKind) {
	query := r.URL.Query()
	after, _ := strconv.Atoi(query.Get("resourceVersion"))
	var first []memoryEvent
	m.mu.Lock()
	if query.Get("sendInitialEvents") == "true" {
		for _, object := range k.objects {
			first = append(first, memoryEvent{kind: "ADDED", object: object})
		}
		after = m.version
		bookmark := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"resourceVersion":"%d","annotations":{%q:"true"}}}`, k.gvk.APIVersion, k.gvk.Kind, after, metav1.InitialEventsAnnotationKey)
		first = append(first, memoryEvent{kind: "BOOKMARK", object: []byte(bookmark)})
	}
	m.mu.Unlock()
	stop := r.Context().Done()
	go func() { // a watch whose client has gone is to see it
		<-stop
		m.mu.Lock()
		defer m.mu.Unlock()
		m.changed.Broadcast()
	}()
	w.Header().Set("Content-Type", "application/json")
	flush := http.NewResponseController(w)
	metaOnly := strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
	for next := first; next != nil; next, after = m.next(r, k, after) {
		for _, e := range next {
			object := e.object
			if metaOnly {
				object = partial(object)
			}
			if _, err := fmt.Fprintf(w, "{\"type\":%q,\"object\":%s}\n", e.kind, object); err != nil {
				return
			}
		}
		if err := flush.Flush(); err != nil {
			return
		}
	}
}

// next waits for what comes after a version; nil when nobody watches any more.
func (m *memoryAPI) next(r *http.Request, k *memoryKind, after int) ([]memoryEvent, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for r.Context().Err() == nil && !m.ended {
		begin, _ := slices.BinarySearchFunc(k.log, after+1, func(e memoryEvent, v int) int { return e.version - v })
		if begin < len(k.log) {
			events := slices.Clone(k.log[begin:])
			return events, events[len(events)-1].version
		}
		m.changed.Wait()
	}
	return nil, after
}

// partial is an object's metadata, as the API server gives it.
func partial(object []byte) []byte {
	var o metav1.PartialObjectMetadata
	if err := json.Unmarshal(object, &o); err != nil {
		panic(err)
	}
	o.TypeMeta = metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"}
	return encoded(o)
}

// scale writes a Deployment's replicas, and does what its controllers do.
func (m *memoryAPI) scale(body io.Reader, key string) ([]byte, int) {
	var scale autoscalingv1.Scale
	if err := read(body, &scale); err != nil {
		panic(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var d appsv1.Deployment
	if err := json.Unmarshal(m.kinds[deploymentsPath].objects[key], &d); err != nil {
		panic(err)
	}
	if d.ResourceVersion != scale.ResourceVersion {
		return encoded(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonConflict, Code: 409, Message: "it has changed"}), http.StatusConflict
	}
	had := *d.Spec.Replicas
	d.Generation++
	d.Spec.Replicas = &scale.Spec.Replicas
	m.put(deploymentsPath, &d)
	scale.ResourceVersion = d.ResourceVersion
	for i := had; i < scale.Spec.Replicas; i++ {
		m.put(podsPath, podNumbered(&d, i))
	}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: scale.Spec.Replicas, UpdatedReplicas: scale.Spec.Replicas}
	m.put(deploymentsPath, &d)
	scale.TypeMeta = metav1.TypeMeta{APIVersion: "autoscaling/v1", Kind: "Scale"}
	return encoded(scale), http.StatusOK
}

// patch merges a status into a LoadScaler's.
func (m *memoryAPI) patch(body io.Reader, key string) ([]byte, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ls, change := map[string]any{}, map[string]any{}
	if err := json.Unmarshal(m.kinds[scalersPath].objects[key], &ls); err != nil {
		panic(err)
	}
	if err := json.NewDecoder(body).Decode(&change); err != nil {
		panic(err)
	}
	merge(ls, change)
	return m.put(scalersPath, &unstructured.Unstructured{Object: ls}), http.StatusOK
}

// merge follows RFC 7386.
func merge(into, change map[string]any) {
	for name, value := range change {
		inner, nested := value.(map[string]any)
		old, exists := into[name].(map[string]any)
		switch {
		case value == nil:
			delete(into, name)
		case nested && exists:
			merge(old, inner)
		default:
			into[name] = value
		}
	}
}

// allow grants whatever is asked for.
func (m *memoryAPI) allow(body io.Reader) []byte {
	var review authorizationv1.SelfSubjectAccessReview
	if err := read(body, &review); err != nil {
		panic(err)
	}
	review.TypeMeta = metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
	review.Status.Allowed = true
	return encoded(review)
}

// read understands whichever encoding a client has chosen.
func read(body io.Reader, into runtime.Object) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	_, _, err = serializer.NewCodecFactory(scheme.Scheme).UniversalDeserializer().Decode(text, nil, into)
	return err
}
