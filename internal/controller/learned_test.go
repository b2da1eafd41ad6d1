package controller

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// taught is a status of a cusme before this one.
func taught(l scaling.Learned, at time.Time) v1alpha1.LoadScalerStatus {
	return v1alpha1.LoadScalerStatus{Learned: learnedOf(l), Account: v1alpha1.Account{Until: &metav1.Time{Time: at}}}
}

// seconds are starts of so many each.
func seconds(took ...int) scaling.Starts {
	var all []time.Duration
	for _, s := range took {
		all = append(all, time.Duration(s)*time.Second)
	}
	return scaling.NewStarts(all)
}

// What was learned comes back as it was.
func TestLearnedComesBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		took := rapid.SliceOfN(rapid.IntRange(1, 86400), 0, 60)
		name := rapid.StringMatching("[a-z]{1,16}")
		l := scaling.Learned{
			Ordinary:  seconds(took.Draw(r, "ordinary")...),
			Elastic:   seconds(took.Draw(r, "elastic")...),
			Objective: map[string]scaling.Estimates{},
		}
		if l.Ordinary.Seen+l.Elastic.Seen > 0 {
			l.Started = noon
		}
		for load, numbers := range rapid.MapOfN(name, rapid.MapOfN(name, rapid.IntRange(-99999, 99999), 0, mostEstimates), 0, mostLoads).Draw(r, "objective") {
			l.Objective[load] = scaling.Estimates{}
			for of, n := range numbers {
				l.Objective[load][of] = float64(n) / 10
			}
		}
		got, err := learnedFrom(taught(l, noon), noon)
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", l) {
			r.Errorf("got  %+v (%v)\nwant %+v", got, err, l)
		}
	})
}

// A status that holds all it may is far below what an object may have, and nobody minds reading it.
func TestLearnedIsSmall(t *testing.T) {
	l := scaling.Learned{Ordinary: seconds(slices.Repeat([]int{86399}, 60)...), Started: noon, Objective: map[string]scaling.Estimates{}}
	l.Elastic = l.Ordinary
	for i := range 16 {
		e := scaling.Estimates{}
		for j := range 20 {
			e[fmt.Sprintf("%c%s", 'a'+j, strings.Repeat("x", 15))] = -1.23456789e-300
		}
		l.Objective[fmt.Sprintf("%c%s", 'a'+i, strings.Repeat("x", 62))] = e
	}
	l.Objective["broken"] = scaling.Estimates{}
	is := func(what string, l scaling.Learned, most int) {
		text, err := json.Marshal(learnedOf(l))
		if err != nil || len(text) > most {
			t.Errorf("%s: %d bytes, want %d at most (%v): %s", what, len(text), most, err, text)
		}
	}
	is("starts and estimates", l, 2048)
	l.Profile = aLongProfile()
	is("a profile", scaling.Learned{Profile: l.Profile}, 2048)
	is("all of it", l, 4096)
}

// Anybody may write into a status. What cannot be true is left out by name, and the rest is used.
func TestNonsenseIsNotLearned(t *testing.T) {
	good := scaling.Learned{Ordinary: seconds(50, 60), Elastic: seconds(90), Started: noon, Objective: map[string]scaling.Estimates{"backend": {"service": 30}}}
	for name, c := range map[string]struct {
		spoil func(*v1alpha1.Learned)
		says  string
		left  string // starts of ordinary and elastic pods, estimates
	}{
		"nothing":        {func(*v1alpha1.Learned) {}, "", "[50s 1m0s] [1m30s] map[backend:map[service:30]]"},
		"words":          {func(l *v1alpha1.Learned) { l.StartUp.Ordinary.Took = "50 soon" }, `status.learned.startUp.ordinary.took: expected whole seconds from 1 to 86400, got "soon"`, "[] [1m30s] map[backend:map[service:30]]"},
		"a start of 0":   {func(l *v1alpha1.Learned) { l.StartUp.Elastic.Took = "0" }, `status.learned.startUp.elastic.took: expected whole seconds from 1 to 86400, got "0"`, "[50s 1m0s] [] map[backend:map[service:30]]"},
		"of two days":    {func(l *v1alpha1.Learned) { l.StartUp.Elastic.Took = "172800" }, `got "172800"`, "[50s 1m0s] [] map[backend:map[service:30]]"},
		"beyond numbers": {func(l *v1alpha1.Learned) { l.StartUp.Elastic.Took = strings.Repeat("9", 1000) }, `...`, "[50s 1m0s] [] map[backend:map[service:30]]"},
		"too many":       {func(l *v1alpha1.Learned) { l.StartUp.Ordinary.Took = strings.Repeat("7 ", 1e5) }, "", fmt.Sprint(slices.Repeat([]time.Duration{7 * time.Second}, 50)) + " [1m30s] map[backend:map[service:30]]"},
		"other sums":     {func(l *v1alpha1.Learned) { l.StartUp.Elastic.P95, l.StartUp.Elastic.Seen = "soon", -5 }, "", "[50s 1m0s] [1m30s] map[backend:map[service:30]]"},
		"without a time": {func(l *v1alpha1.Learned) { l.StartUp.NewestAt = nil }, "status.learned.startUp.newestAt: expected a time that is past, got none", "[] [] map[backend:map[service:30]]"},
		"in the future":  {func(l *v1alpha1.Learned) { l.StartUp.NewestAt.Time = noon.Add(time.Hour) }, "status.learned.startUp.newestAt: expected a time that is past, got 2026-01-01T13:00:00Z", "[] [] map[backend:map[service:30]]"},
		"no number":      {func(l *v1alpha1.Learned) { l.Objective[0].Estimates["service"] = "NaN" }, `status.learned.objective[backend].estimates.service: expected a number, got "NaN"`, "[50s 1m0s] [1m30s] map[backend:map[]]"},
		"infinite":       {func(l *v1alpha1.Learned) { l.Objective[0].Estimates["service"] = "1e999" }, `got "1e999"`, "[50s 1m0s] [1m30s] map[backend:map[]]"},
	} {
		status := taught(good, noon)
		c.spoil(&status.Learned)
		l, err := learnedFrom(status, noon)
		if got := fmt.Sprint(l.Ordinary.Took, l.Elastic.Took, l.Objective); got != c.left {
			t.Errorf("%s: learned %s, want %s", name, got, c.left)
		}
		if said := fmt.Sprint(err); (err == nil) != (c.says == "") || !strings.Contains(said, c.says) || len(said) > 2*maxSentence {
			t.Errorf("%s: said %s, want %q", name, said, c.says)
		}
	}
}

// What is of a fortnight ago is of other images and other nodes.
func TestWhatIsOldIsForgotten(t *testing.T) {
	l := scaling.Learned{Ordinary: seconds(50), Started: noon, Objective: map[string]scaling.Estimates{"backend": {"service": 30}}}
	for later, want := range map[time.Duration]bool{13 * 24 * time.Hour: true, 15 * 24 * time.Hour: false} {
		got, err := learnedFrom(taught(l, noon), noon.Add(later))
		if (got.Ordinary.Seen == 1) != want || (len(got.Objective) == 1) != want || err != nil {
			t.Errorf("after %s: got %+v (%v), want anything: %t", later, got, err, want)
		}
	}
}

func TestWhatIsWorthAWriteOfItsOwn(t *testing.T) {
	was := scaling.Learned{Ordinary: seconds(slices.Repeat([]int{60}, 20)...), Started: noon, Objective: map[string]scaling.Estimates{"backend": {"service": 30, "slack": 0}}}
	changed := func(change func(*scaling.Learned)) scaling.Learned {
		l := was
		l.Objective = map[string]scaling.Estimates{"backend": maps.Clone(was.Objective["backend"])}
		change(&l)
		return l
	}
	for name, c := range map[string]struct {
		is   scaling.Learned
		much bool
	}{
		"the same":               {was, false},
		"one start more":         {changed(func(l *scaling.Learned) { l.Ordinary = seconds(append(slices.Repeat([]int{60}, 20), 70)...) }), false},
		"a much longer one":      {changed(func(l *scaling.Learned) { l.Ordinary = seconds(append(slices.Repeat([]int{60}, 20), 90)...) }), true},
		"too few to know":        {changed(func(l *scaling.Learned) { l.Ordinary = seconds(slices.Repeat([]int{60}, 9)...) }), true},
		"the first elastic one":  {changed(func(l *scaling.Learned) { l.Elastic = seconds(60) }), true},
		"an estimate that moved": {changed(func(l *scaling.Learned) { l.Objective["backend"]["service"] = 36 }), false},
		"and much":               {changed(func(l *scaling.Learned) { l.Objective["backend"]["service"] = 60 }), true},
		"from nothing":           {changed(func(l *scaling.Learned) { l.Objective["backend"]["slack"] = 1 }), true},
		"another estimate":       {changed(func(l *scaling.Learned) { l.Objective["backend"]["queue"] = 0 }), true},
		"another load":           {changed(func(l *scaling.Learned) { l.Objective["gpu"] = scaling.Estimates{} }), true},
	} {
		if learnedMuch(learnedOf(was), learnedOf(c.is)) != c.much {
			t.Errorf("%s: worth a write: want %t", name, c.much)
		}
	}
}

// starting is a crank whose pods took so many seconds to start, ten minutes ago.
func starting(t *testing.T, took ...int) *crank {
	t.Helper()
	server, _ := serve(t, func(int) string { return "0.6" })
	k := newCrank(t, v1alpha1.Load{Name: "backend", HTTP: &v1alpha1.HTTPSource{URL: server.URL, Value: "body.load"}})
	k.seen.deploy("webui", slices.Repeat([]string{"127.0.0.1"}, len(took))...)
	for i, s := range took {
		k.seen.start(i, k.clock.Add(-10*time.Minute), time.Duration(s)*time.Second)
	}
	k.turn(t)
	k.reads(t, isFresh)
	k.turn(t)
	return k
}

// start has a pod created then, and ready that much later.
func (s *sight) start(pod int, created time.Time, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	created = created.Truncate(time.Second)
	s.pods[pod].CreationTimestamp.Time = created
	s.pods[pod].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Time{Time: created.Add(took)}}}
}

// again is what a cusme that starts now has of a LoadScaler.
func (k *crank) again(t *testing.T) *memory {
	t.Helper()
	k.memories = memories{}
	k.turn(t)
	return k.memories.find(k.key())
}

// A cusme that starts knows what the one before it has learned of the target, and of no other.
func TestARestartKnowsYesterday(t *testing.T) {
	k := starting(t, 50, 60, 70)
	if got := k.ls.Status.Learned.StartUp.Ordinary; got == nil || *got != (v1alpha1.StartUp{P50: "1m0s", P95: "1m10s", Seen: 3, Took: "50 60 70"}) {
		t.Fatalf("the status says %+v", got)
	}
	k.seen.deploy("webui", "127.0.0.1")
	if l := k.again(t).history.Learned; !slices.Equal(l.Ordinary.Took, seconds(50, 60, 70).Took) {
		t.Errorf("after a restart: %+v", l)
	}
	k.ls.Spec.ScaleTargetRef.Name, k.ls.Generation = "another", k.ls.Generation+1
	if l := k.again(t).history.Learned; l.Ordinary.Seen > 0 {
		t.Errorf("of another target: %+v", l)
	}
}

// Nonsense is told once, and survives in no status.
func TestNonsenseIsTold(t *testing.T) {
	k := starting(t, 50, 60, 70)
	var said []string
	k.log = funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{})
	k.ls.Status.Learned.StartUp.Ordinary.Took = "soon"
	k.again(t)
	k.turn(t)
	if text := strings.Join(said, "\n"); strings.Count(text, "soon") != 1 || !strings.Contains(text, "status.learned.startUp.ordinary.took") {
		t.Errorf("said %q", said)
	}
}

// Who removes what was learned has it forgotten, by a cusme that runs.
func TestWhatIsRemovedIsForgotten(t *testing.T) {
	k := starting(t, 50, 60, 70)
	k.turn(t)
	k.ls.Status.Learned = v1alpha1.Learned{}
	k.turn(t)
	if l := k.memories.find(k.key()).history.Learned; l.Ordinary.Seen > 0 {
		t.Errorf("still known: %+v", l)
	}
	k.ls.Generation++
	k.turn(t)
	if got := k.ls.Status.Learned; !reflect.DeepEqual(got, v1alpha1.Learned{}) {
		t.Errorf("back in the status: %+v", got)
	}
}

// The watch may show a status from before what was learned was written.
func TestAStatusOfBeforeForgetsNothing(t *testing.T) {
	m := &memory{history: scaling.History{Learned: scaling.Learned{Ordinary: seconds(50)}}, unseen: true}
	m.status = taught(m.history.Learned, noon)
	m.see(taught(scaling.Learned{}, noon.Add(-time.Second)))
	if m.history.Learned.Ordinary.Seen != 1 || m.status.Learned.IsZero() {
		t.Errorf("forgotten: %+v", m.history.Learned)
	}
	m.see(taught(scaling.Learned{}, noon)) // As it was written, and removed before anybody looked.
	if m.history.Learned.Ordinary.Seen != 0 || !m.status.Learned.IsZero() {
		t.Errorf("not forgotten: %+v", m.history.Learned)
	}
}

// What was learned is no news. By itself it is saved every half hour, if it changed much.
func TestLearnedIsNoTicker(t *testing.T) {
	k := starting(t, 50, 60, 70)
	m := k.memories.find(k.key())
	learn := func(service float64) {
		l := m.history.Learned
		l.Objective = map[string]scaling.Estimates{"backend": {"service": service}}
		m.history.Learned = l
		k.turn(t)
	}
	learn(30)
	before := len(k.saved)
	for _, c := range []struct {
		after   time.Duration
		service float64
		writes  int
	}{
		{time.Minute, 60, 0},
		{29 * time.Minute, 60, 0},
		{31 * time.Minute, 60, 1},
		{40 * time.Minute, 600, 1},
		{2 * time.Hour, 620, 2},
		{3 * time.Hour, 630, 2},
	} {
		start := k.clock
		k.clock = start.Add(c.after)
		learn(c.service)
		if got := len(k.saved) - before; got != c.writes {
			t.Errorf("after %s, service time %v: %d writes, want %d", c.after, c.service, got, c.writes)
		}
		k.clock = start
	}
}
