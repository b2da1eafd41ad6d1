package load

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

func formulaOf(name, text string) v1alpha1.Load {
	return v1alpha1.Load{Name: name, Expression: text}
}

// expressionKind works out half of twice an HTTP load: every trial of the term
// is one of the formula's.
var expressionKind = kind{
	open: func(t *testing.T, s site) func() scaling.Reading {
		ask := httpKind.open(t, s)
		sources, err := OpenAll("shop/webui", []v1alpha1.Load{formulaOf("backend", "term * 2.0 / 2.0"), {Name: "term", HTTP: &v1alpha1.HTTPSource{URL: s.url, Value: "body.load"}}}, s.options)
		if err != nil {
			t.Fatal(err)
		}
		return func() scaling.Reading {
			of := ask()
			of.Load = "term"
			got, _ := sources[0].formula.reading("backend", []scaling.Reading{of}, time.Now())
			return got
		}
	},
	says:   func(number string, at time.Time) http.Handler { return httpKind.says(number, at) },
	cannot: httpKind.cannot,
}

// TestFormulas: what comes of a formula over backend 0.5, queue 30, gpu-queue 7,
// 9lives 9, loads 3 and a first reading of none.
func TestFormulas(t *testing.T) {
	names := []string{"backend", "queue", "gpu-queue", "9lives", "loads", "none"}
	values := []float64{0.5, 30, 7, 9, 3, 0}
	for _, c := range []struct {
		text  string
		value float64
		terms string // those used
		says  string // instead of a value: part of the message
	}{
		{"backend * 0.5 + queue / 100.0", 0.55, "backend queue", ""},
		{`backend + loads["gpu-queue"]`, 7.5, "backend gpu-queue", ""},
		{`loads["9lives"] + loads.queue`, 39, "queue 9lives", ""},
		{`loads["loads"]`, 3, "loads", ""},
		{"queue > 10 ? 2.0 : 1.0", 2, "queue", ""},
		{"queue > 10.5 ? 2 : 1", 2, "queue", ""},
		{"math.greatest(backend, queue)", 30, "backend queue", ""},
		{"has(loads.queue) ? backend : 1.0", 0.5, "backend queue", ""},
		{`math.greatest(["backend", "queue"].map(name, loads[name]))`, 30, "backend queue gpu-queue 9lives loads none", ""},
		{"loads.exists(name, loads[name] > 29.0) ? 1.0 : 0.0", 1, "backend queue gpu-queue 9lives loads none", ""},
		{"none * 2.0", 0, "none", ""},

		{"backend / none", 0, "backend none", "expression yielded a number without bounds, expected a finite one"},
		{"none / none", 0, "none", "expression yielded NaN"},
		{"backend - queue", 0, "backend queue", "expression yielded -29.5, expected 0 or more"},
		{`loads["que" + "e"]`, 0, "backend queue gpu-queue 9lives loads none", "no such key: quee"},
		{"loads.map(a, loads.map(b, loads.map(c, loads.map(d, loads.map(e, 1.0))))).size()", 0, "backend queue gpu-queue 9lives loads none", "cost limit"},
	} {
		t.Run(c.text, func(t *testing.T) {
			var loads []v1alpha1.Load
			var readings []scaling.Reading
			for i, name := range names {
				loads = append(loads, loadOf(name, "h", "body.load"))
				readings = append(readings, scaling.Reading{Load: name, Value: values[i], At: midday})
			}
			sources, err := OpenAll("shop/webui", append(loads, formulaOf("score", c.text)), Options{})
			if err != nil {
				t.Fatal(err)
			}
			f := sources[len(names)].formula
			var terms []string
			for _, term := range f.terms {
				terms = append(terms, term.load)
			}
			if got := strings.Join(terms, " "); got != c.terms {
				t.Errorf("uses %s, want %s", got, c.terms)
			}
			got, _ := f.reading("score", readings, midday)
			if got.Value != c.value || !strings.Contains(got.Message, c.says) || (got.Problem == scaling.Invalid) != (c.says != "") {
				t.Errorf("got %+v, want %v %q", got, c.value, c.says)
			}
		})
	}
}

// TestFormulasThatCannotBe: an error names the field, and the loads there are.
func TestFormulasThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"an unknown load":    {"bakend * 2.0", []string{"undeclared reference to 'bakend'", `expected one of backend, loads["gpu-queue"]; expressions are not available in expressions`}},
		"an unknown key":     {`loads["bakend"]`, []string{`loads["bakend"] is no load; expected one of backend`}},
		"an unknown field":   {"has(loads.bakend) ? 1.0 : 2.0", []string{`loads["bakend"] is no load`}},
		"a hyphen":           {"gpu-queue", []string{"undeclared reference to 'gpu'", `loads["gpu-queue"]`}},
		"itself":             {"score + 1.0", []string{"undeclared reference to 'score'", "not available in expressions"}},
		"another expression": {`loads["other"]`, []string{`loads["other"] is no load`, "not available in expressions"}},
		"an integer":         {"backend / 100", []string{"no matching overload for '_/_' applied to '(double, int)'", "write 100.0, not 100"}},
		"no load":            {"0.5", []string{"expected a formula that uses a load"}},
		"a bool":             {"backend > 0.5", []string{"expected a formula that yields a number, this one yields bool"}},
		"a syntax error":     {"backend +", []string{"Syntax error"}},
		"a variable of http": {"body.load", []string{"undeclared reference to 'body'"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenAll("shop/webui", []v1alpha1.Load{
				loadOf("backend", "h", "body.load"), loadOf("gpu-queue", "h", "body.load"), formulaOf("score", c.text), formulaOf("other", "backend"),
			}, Options{})
			if err == nil {
				t.Fatal("it is understood")
			}
			for _, want := range append(c.want, "loads[score].expression: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to contain %q", err, want)
				}
			}
		})
	}
	if _, err := openOne(formulaOf("score", "backend"), Options{}); err == nil || !strings.Contains(err.Error(), "there is no other load") {
		t.Errorf("a formula alone: %v", err)
	}
}

// TestTermsInTrouble: a formula has the gravest problem of its terms, the time of
// the oldest, and leaves out what they do.
func TestTermsInTrouble(t *testing.T) {
	good := scaling.Reading{Load: "a", Value: 1, At: midday}
	late := scaling.Reading{Load: "b", Value: 2, At: midday.Add(-time.Minute), Partial: "1 of 2 pods gave no answer"}
	bad := func(load string, state scaling.State) scaling.Reading {
		return scaling.Reading{Load: load, Value: 5, At: midday, Problem: state, Message: "it is " + string(state)}
	}
	for _, c := range []struct {
		name  string
		loads []scaling.Reading
		want  scaling.Reading
	}{
		{"all is well", []scaling.Reading{good, late}, scaling.Reading{Value: 3, At: late.At, Partial: "b: 1 of 2 pods gave no answer"}},
		{"one failed", []scaling.Reading{good, bad("b", scaling.Failed)}, scaling.Reading{Problem: scaling.Failed, Message: "b: it is Failed"}},
		{"failed outweighs invalid", []scaling.Reading{bad("a", scaling.Invalid), bad("b", scaling.Failed)}, scaling.Reading{Problem: scaling.Failed, Message: "b: it is Failed"}},
		{"invalid outweighs stale", []scaling.Reading{bad("a", scaling.Invalid), bad("b", scaling.Stale)}, scaling.Reading{Problem: scaling.Invalid, Message: "a: it is Invalid"}},
		{"pending outweighs all", []scaling.Reading{bad("a", scaling.Failed), pending("b")}, scaling.Reading{Problem: scaling.Pending, Message: "b: it has not been read yet"}},
		{"of two alike the first", []scaling.Reading{bad("a", scaling.Failed), bad("b", scaling.Failed)}, scaling.Reading{Problem: scaling.Failed, Message: "a: it is Failed"}},
		{"one is not there", []scaling.Reading{good}, scaling.Reading{Problem: scaling.Pending, Message: "b: it has not been read yet"}},
		{"one is older than it may be", []scaling.Reading{good, {Load: "b", Value: 2, At: midday.Add(-3 * time.Minute)}}, scaling.Reading{Problem: scaling.Stale, Message: "b: it is 2 as of 2026-05-01 11:57:00 UTC, and staleAfter is 2m0s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := loadOf("b", "h", "body.load")
			b.StaleAfter = &metav1.Duration{Duration: 2 * time.Minute}
			sources, err := OpenAll("shop/webui", []v1alpha1.Load{loadOf("a", "h", "body.load"), b, formulaOf("score", "a + b")}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			c.want.Load = "score"
			if got, _ := sources[2].formula.reading("score", c.loads, midday); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestFormulaFollows: a formula is worked out whenever one of its terms is read,
// keeps its last value beside a problem, and is judged by its own trust.
func TestFormulaFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		a, b, score := loadOf("a", "a", "body.load"), loadOf("b", "b", "body.load"), formulaOf("score", "a + b")
		a.ConfirmZero, b.ConfirmZero = new(bool), new(bool)
		s.backends["b"].takes = time.Second
		if err := s.Follow("scaler", []v1alpha1.Load{score, a, b}, interval, nil); err != nil {
			t.Fatal(err)
		}
		wait(time.Second / 2)
		s.expect(t, "scaler", "score 0 Pending", "a 0.5", "b 0 Pending")
		wait(time.Second)
		s.expect(t, "scaler", "score 1", "a 0.5", "b 0.5")

		s.backends["a"].now("", failed("it is down"))
		wait(interval)
		s.expect(t, "scaler", "score 1 Failed", "a 0.5 Failed", "b 0.5")
		if m := s.Latest("scaler")[0].Message; m != "a: it is down" {
			t.Errorf("message %q", m)
		}

		s.backends["a"].now(`{"load": 2}`, nil)
		wait(interval)
		s.expect(t, "scaler", "score 2.5", "a 2", "b 0.5")
	})
}

// TestFormulaFallsToZero: two terms that are read once each are not two opinions,
// where they are wanted.
func TestFormulaFallsToZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, "a", "b")
		a, b, score := loadOf("a", "a", "body.load"), loadOf("b", "b", "body.load"), formulaOf("score", "a * b")
		confirmed := true
		a.ConfirmZero, b.ConfirmZero, score.ConfirmZero = new(bool), new(bool), &confirmed
		s.follow(t, "scaler", nil, a, b, score)
		wait(2 * interval)
		s.expect(t, "scaler", "a 0.5", "b 0.5", "score 0.25")

		s.backends["a"].now(`{"load": 0}`, nil)
		wait(interval)
		s.expect(t, "scaler", "a 0", "b 0.5", "score 0.25")
		if m := s.Latest("scaler")[2].Message; !strings.HasPrefix(m, "0 after 0.25: ") {
			t.Errorf("message %q", m)
		}
		wait(2 * interval)
		s.expect(t, "scaler", "a 0", "b 0.5", "score 0")
	})
}
