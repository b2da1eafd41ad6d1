package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"cusme.dev/cusme/internal/scaling"
)

// TestDecideRefuses: a line that cannot be meant names its number and field.
func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	const now = `{"time":"2026-11-23T17:00:00Z",`
	for line, want := range map[string]string{
		`{"time":"2026-11-23T17:00:00Z","load":NaN}`: "expected one JSON object, with null for a load that is no number: invalid character 'N'",
		`[]`:                                                "expected an object, got array",
		`{} {}`:                                             "invalid character '{' after top-level value",
		`null`:                                              "time: expected a time such as",
		`{"time":"17:00"}`:                                  `time: expected a time such as 2026-11-23T17:00:00Z (RFC 3339), got "17:00"`,
		`{"time":"2026-11-23T16:59:59.9Z"}`:                 "time: expected 2026-11-23T17:00:00Z as on the line before, or later, got 2026-11-23T16:59:59.9Z",
		now + `"load":"high"}`:                              "load: expected a number of 64 bits, got string",
		now + `"load":1e999}`:                               "load: expected a number of 64 bits, got number 1e999",
		now + `"loads":{"backend":true}}`:                   "loads: expected a number of 64 bits, got bool",
		now + `"load":1,"loads":{"backend":1}}`:             "load: it stands for backend, which is in loads too",
		now + `"replicas":2.5}`:                             "replicas: expected a whole number of 32 bits, got number 2.5",
		now + `"replicas":-1}`:                              "replicas: expected 0 or more, got -1",
		now + `"leaving":-1}`:                               "leaving: expected 0 to 100000, got -1",
		now + `"maxReplicas":0}`:                            "maxReplicas: expected at least 1, got 0",
		now + `"minReplicas":21}`:                           "minReplicas: expected 0 to maxReplicas (20), got 21",
		now + `"pods":{}}`:                                  "pods: expected an array, got object",
		now + `"pods":[{}]}`:                                "pods[0].name: expected a name, got none",
		now + `"pods":[{"name":"a"},{"name":"a"}]}`:         `pods[1].name: expected one that no other pod has, got "a" again`,
		now + `"pods":[{"name":"a","ready":"yes"}]}`:        "pods.ready: expected true or false, got string",
		now + `"pods":[{"name":"a","created":"today"}]}`:    "pods[0].created: expected a time such as",
		now + `"pods":[{"name":"a","readySince":"today"}]}`: "pods[0].readySince: expected a time such as",
		now + `"pods":[{"name":"a","phase":"Starting"}]}`:   "pods[0].phase: expected Pending, Running, Succeeded, Failed or Unknown, got",
		now + `"pods":[{"name":"` + strings.Repeat("a", longestLine) + `","x":1}]}`: "expected at most 16 MiB, got more",
	} {
		p := newPartner(t, deciderFor(t, "Deployment", ""))
		p.told(t, now+`"load":0.6,"replicas":1}`)
		if got, err := p.ask("\n" + line); err == nil || !strings.HasPrefix(err.Error(), "line 3: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: got %q, %v; want line 3: %s", line, got, err, want)
		}
	}
	p := newPartner(t, deciderFor(t, "StatefulSet", ""))
	if _, err := p.ask(now + `"pods":[{"name":"web-a"}]}`); err == nil || !strings.Contains(err.Error(), "pods[0].name: expected a name as StatefulSets give, such as web-0") {
		t.Errorf("a StatefulSet's pod without a number: %v", err)
	}
}

// TestDecideSeesMovesThrough: a move counts once the replicas show it. Two
// readings in a second would step twice if the first step had not been made.
func TestDecideSeesMovesThrough(t *testing.T) {
	t.Parallel()
	line := func(second, replicas int) string {
		return fmt.Sprintf(`{"time":"2026-11-23T17:00:%02dZ","load":3,"replicas":%d,"pods":[{"name":"a","ready":true}]}`, second, replicas)
	}
	behavior := "  step: {up: 2, down: 1}"
	for name, test := range map[string]struct {
		next int // the replicas of the second line
		want int32
		why  string
	}{
		"made":             {3, 3, "demand: backend 3 is above 0.8: answered already"},
		"not made":         {1, 3, "demand: backend 3 is above 0.8: a step of 2 up"},
		"another was made": {2, 4, "demand: backend 3 is above 0.8: a step of 2 up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartner(t, deciderFor(t, "Deployment", behavior))
			if first := p.told(t, line(0, 1)); first.Replicas != 3 {
				t.Fatalf("got %d: %s", first.Replicas, first.why())
			}
			if got := p.told(t, line(0, test.next)); got.Replicas != test.want || !strings.Contains(got.why(), test.why) {
				t.Errorf("got %d: %s; want %d: %s", got.Replicas, got.why(), test.want, test.why)
			}
		})
	}
}

// TestDecideMarksStayWhilePodsAreToGo: a scale-in that was written and whose pod is still there is under way.
func TestDecideMarksStayWhilePodsAreToGo(t *testing.T) {
	t.Parallel()
	p := newPartner(t, deciderFor(t, "Deployment", ""))
	line := func(load float64, replicas int, pods string) string {
		return fmt.Sprintf(`{"time":"2026-11-23T17:00:00Z","load":%v,"replicas":%d,"pods":[%s]}`, load, replicas, pods)
	}
	const a, b, marked = `{"name":"a","ready":true}`, `{"name":"b","ready":true}`, `{"name":"b","ready":true,"deletionCost":-1}`
	steps := []struct{ line, costs string }{
		{line(0.2, 2, b+","+a), "map[a:-1]"},
		{line(0.6, 1, b+`,{"name":"a","ready":true,"deletionCost":-1}`), "map[]"},
		{line(0.6, 1, marked), "map[b:0]"},
	}
	for i, s := range steps {
		if got := p.told(t, s.line); fmt.Sprint(got.DeletionCosts) != s.costs {
			t.Errorf("step %d: got %v, want %s: %s", i, got.DeletionCosts, s.costs, got.why())
		}
	}
}

// TestDecideDatesPods: times that lines leave out are when the lines first showed it.
func TestDecideDatesPods(t *testing.T) {
	t.Parallel()
	d := deciderFor(t, "Deployment", "")
	at := func(second int) time.Time { return time.Date(2026, 11, 23, 17, 0, second, 0, time.UTC) }
	for i, step := range []struct {
		pod                     string
		created, ready, unready time.Time
	}{
		{`{"name":"a"}`, at(0), time.Time{}, time.Time{}},
		{`{"name":"a","ready":true}`, at(0), at(1), time.Time{}},
		{`{"name":"a","ready":true}`, at(0), at(1), time.Time{}},
		{`{"name":"a","readySince":"2026-11-23T17:00:00Z"}`, at(0), time.Time{}, at(3)},
		{`{"name":"a"}`, at(0), time.Time{}, at(3)},
		{`{"name":"a","ready":true,"readySince":"2026-11-23T17:00:04Z"}`, at(0), at(4), time.Time{}},
		{`{"name":"a","created":"2026-11-23T17:00:05Z"}`, at(5), time.Time{}, time.Time{}},
		{`{"name":"b","created":"2026-11-23T16:00:00Z","ready":true}`, at(0).Add(-time.Hour), at(7), time.Time{}},
		{`{"name":"a"}`, at(8), time.Time{}, time.Time{}},
	} {
		tick, err := d.decide(fmt.Appendf(nil, `{"time":"%s","replicas":1,"pods":[%s]}`, at(i).Format(time.RFC3339), step.pod))
		if err != nil {
			t.Fatal(err)
		}
		p := tick.Observation.Pods[0]
		if !p.Created.Equal(step.created) || !p.ReadySince.Equal(step.ready) || !p.UnreadySince.Equal(step.unready) {
			t.Errorf("line %d: created %s, ready since %s, unready since %s", i, p.Created, p.ReadySince, p.UnreadySince)
		}
	}
}

// TestDecideReads: each load of the policy gets a reading, and one that fails keeps its last value.
func TestDecideReads(t *testing.T) {
	t.Parallel()
	d := deciderFor(t, "Deployment", "")
	d.policy.Loads = append(d.policy.Loads, scaling.Load{Name: "queue", Total: true, Low: 1, Target: 2, High: 3, StaleAfter: time.Minute})
	for i, step := range []struct{ loads, want string }{
		{`"load":0.5,"loads":{"queue":7,"unknown":1}`, "backend 0.5 , queue 7 "},
		{`"load":null,"loads":{"queue":8}`, "backend 0.5 Failed, queue 8 "},
		{`"loads":{"backend":0.7,"queue":null}`, "backend 0.7 , queue 8 Failed"},
		{`"x":0`, "backend 0.7 Failed, queue 8 Failed"},
	} {
		tick, err := d.decide(fmt.Appendf(nil, `{"time":"2026-11-23T17:00:%02dZ",%s}`, i, step.loads))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range tick.Observation.Readings {
			got = append(got, fmt.Sprintf("%s %v %s", r.Load, r.Value, r.Problem))
		}
		if s := strings.Join(got, ", "); s != step.want {
			t.Errorf("%s: got %s, want %s", step.loads, s, step.want)
		}
	}
}

// TestDecideNamesLoadsThatNobodyAskedFor: a load that is misnamed reads like a source that fails, and holds; the reason says what it is.
func TestDecideNamesLoadsThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`"x":0`:                        "the observation has none",
		`"loads":{"backend":null}`:     "the observation has none",
		`"loads":{}`:                   "the observation has none",
		`"loads":{"c":1,"a\u001bb":2}`: "the observation has none of that name, only of a b, c",
	} {
		got := newPartner(t, deciderFor(t, "Deployment", "")).told(t, `{"time":"2026-11-23T17:00:00Z","replicas":3,`+line+`}`)
		if why := "demand: holding: backend is unknown: " + want; got.Replicas != 3 || got.why() != why {
			t.Errorf("%s: got %d replicas, %q, want %q", line, got.Replicas, got.why(), why)
		}
	}
}

// TestDecideCountsLeavingPods: they are no capacity, and nobody mistakes them for pods that went.
func TestDecideCountsLeavingPods(t *testing.T) {
	t.Parallel()
	d := deciderFor(t, "Deployment", "")
	for _, leaving := range []int{2, 1, 0} {
		tick, err := d.decide(fmt.Appendf(nil, `{"time":"2026-11-23T17:00:00Z","load":0.9,"replicas":1,"leaving":%d,"pods":[{"name":"a","ready":true}]}`, leaving))
		if err != nil {
			t.Fatal(err)
		}
		if got := tick.Decision; got.Replicas != 2 || len(got.Gone) > 0 || got.Pods.Existing != 1 || len(tick.Observation.Pods) != 1+leaving {
			t.Errorf("%d leaving: %+v", leaving, got)
		}
	}
}

// TestDecideEnds: an input that breaks off and an output that nobody reads are errors.
func TestDecideEnds(t *testing.T) {
	t.Parallel()
	const line = `{"time":"2026-11-23T17:00:00Z","load":0.6,"replicas":1}`
	var out bytes.Buffer
	f := filter{decider: deciderFor(t, "Deployment", ""), in: strings.NewReader(line), out: &out}
	if err := f.run(); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("a last line without an end: %v, %q", err, out.String())
	}
	broken := io.MultiReader(strings.NewReader(line+"\n"), readerFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe }))
	f = filter{decider: deciderFor(t, "Deployment", ""), in: broken, out: io.Discard}
	if err := f.run(); err == nil || err.Error() != "line 2 cannot be read: io: read/write on closed pipe" {
		t.Errorf("an input that breaks off: %v", err)
	}
	_, closed := io.Pipe()
	closed.Close()
	f = filter{decider: deciderFor(t, "Deployment", ""), in: strings.NewReader(line), out: closed}
	if err := f.run(); err == nil || !strings.HasPrefix(err.Error(), "line 1: the decision cannot be written: ") {
		t.Errorf("an output that is closed: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// BenchmarkDecideLines times a line of ten pods, from text to text.
func BenchmarkDecideLines(b *testing.B) {
	d := deciderFor(b, "Deployment", "")
	now := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	var pods []string
	for i := range 10 {
		pods = append(pods, fmt.Sprintf(`{"name":"webui-5b8d-%d","created":"2026-11-23T08:00:00Z","ready":true,"readySince":"2026-11-23T08:01:00Z","node":"n%d","phase":"Running","deletionCost":0}`, i, i))
	}
	f := filter{decider: d, out: io.Discard}
	line := 0
	f.in = readerFunc(func(p []byte) (int, error) {
		if line++; line > b.N {
			return 0, io.EOF
		}
		now = now.Add(15 * time.Second)
		return copy(p, fmt.Sprintf("{\"time\":%q,\"load\":%.2f,\"replicas\":10,\"pods\":[%s]}\n", now.Format(time.RFC3339), 0.55+float64(line%20)/100, strings.Join(pods, ","))), nil
	})
	b.ReportAllocs()
	b.ResetTimer()
	if err := f.run(); err != nil {
		b.Fatal(err)
	}
}
