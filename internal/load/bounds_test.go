package load

import (
	"strings"
	"testing"

	"cusme.dev/cusme/api/v1alpha1"
)

// TestNothingDear wants expressions refused that grow faster than what they are
// charged for: with 100 steps they would never end.
func TestNothingDear(t *testing.T) {
	shared := `[[1.0]]` + strings.Repeat(`.map(x, [x, x])`, 100)
	long := `{"l": [` + strings.Repeat("1,", 9999) + `1], "s": "` + strings.Repeat("1", 500_000) + `"}`
	for value, says := range map[string]string{
		shared + `.map(A, A == A ? 1 : 2)[0]`:                             "== of lists, maps and optionals is not available: compare what they hold",
		shared + `.map(A, dyn(A) != A ? 1 : 2)[0]`:                        "!= of lists",
		shared + `.map(A, {"a": A} == {"a": A} ? 1 : 2)[0]`:               "== of lists",
		shared + `.map(A, optional.of(A) == optional.of(A) ? 1 : 2)[0]`:   "== of lists",
		shared + `.map(A, A in [A] ? 1 : 2)[0]`:                           "in of lists",
		`[body.l]` + strings.Repeat(`.map(x, x + x)`, 100) + `.size()`:    "+ of lists is not available: give sum or avg to each",
		`[body.s]` + strings.Repeat(`.map(x, x + x)`, 100) + `[0].size()`: "cost limit exceeded",
		`body.l.filter(x, body.s < body.s + "1").size()`:                  "cost limit exceeded",
		`body.l.filter(x, body.s in [body.s]).size()`:                     "cost limit exceeded",
		`body.l.filter(x, 2 in body.l).size()`:                            "cost limit exceeded",
		`body.l.map(x, bytes(body.s)).size()`:                             "cost limit exceeded",
		`body.l.filter(x, body.s.matches("^[a-z]{9}")).size()`:            "cost limit exceeded",
		`body.l.filter(x, "".contains(body.s)).size()`:                    "cost limit exceeded",
		`body.s.indexOf(body.s + "2")`:                                    "expected a text of 100 bytes at most to look for, got 500001",
		`body.s.lastIndexOf(body.s + "2", 1)`:                             "expected a text of 100 bytes",
	} {
		e, err := compile("loads[backend].", "http.value", value, aNumber)
		if err != nil {
			t.Fatalf("%.200s: %v", value, err)
		}
		_, err = e.number(documentOf(t, long))
		checkFault(t, err, says)
	}
}

// TestNothingDearCompiles wants expressions refused whose cost cannot be charged.
func TestNothingDearCompiles(t *testing.T) {
	for value, says := range map[string]string{
		`[?body.a].size()`:                                "entries of lists and maps that are optional",
		`{?"a": body.a}.size()`:                           "entries of lists and maps that are optional",
		`body.s.matches(body.p) ? 1 : 2`:                  "matches: expected a pattern that is written there",
		`body.s.matches("x{1000}") ? 1 : 2`:               "regex program size",
		`body.l.map(x, [?x])[0].size()`:                   "entries of lists and maps that are optional",
		`matches(body.s, string(body.p)) ? 1.0 : 2.0`:     "matches: expected a pattern",
		`body.l.exists(x, dyn(x).matches(x)) ? 1.0 : 2.0`: "matches: expected a pattern",
	} {
		if _, err := compile("loads[backend].", "http.value", value, aNumber); err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "loads[backend].http.value: ") {
			t.Errorf("%s: got %v, want it to say %q", value, err, says)
		}
	}
}

// TestNothingTakesLongToCompile: types that hold another twice, which holds
// another twice, would take for ever.
func TestNothingTakesLongToCompile(t *testing.T) {
	for _, value := range []string{
		`[1]` + strings.Repeat(`.map(x, {x: x})`, 100) + `.size()`,
		`optional.of(1)` + strings.Repeat(`.optMap(x, {x: {x: {x: {x: x}}}})`, 10) + `.hasValue() ? 1 : 2`,
	} {
		if _, err := compile("", "http.value", value, aNumber); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// TestWhatOperatorsStillDo: values that hold no others are compared and added as
// CEL does.
func TestWhatOperatorsStillDo(t *testing.T) {
	body := `{"n": 2, "s": "ab", "l": [1, 2, "ab"], "m": {"ab": 1}, "none": null}`
	for _, value := range []string{
		`body.n == 2 && body.n == 2.0 && body.n != 3 && body.s == "ab" && body.s != "b" && body.none == null && body.l != null && body.m != 1.0`,
		`body.n + 1.0 == 3.0 && body.s + "c" == "abc" && duration("1s") + timestamp(0) == timestamp(1)`,
		`2 in body.l && "ab" in body.l && !("b" in body.l) && "ab" in body.m && !(2 in body.m) && 2.0 in [1.0, 2.0]`,
		`body.l.filter(x, x == 2).size() == 1 && body.l.map(x, x).size() == 3 && [0].map(i, body.l.map(x, x).size())[0] == 3`,
		`body.s.indexOf("b") == 1 && body.s.indexOf("a", 1) == -1 && body.s.lastIndexOf("a") == 0 && body.s.lastIndexOf("b", 1) == 1`,
		`body.s.matches("^a.$") && matches(body.s, "b") && body.l.size() == size(body.l)`,
	} {
		e, err := compile("", "busy.value", value, aVerdict)
		if err != nil {
			t.Fatal(err)
		}
		if yes, err := e.verdict(documentOf(t, body)); !yes || err != nil {
			t.Errorf("%s is %v, %v", value, yes, err)
		}
	}
	e, err := compile("", "busy.value", `body.n in body.n`, aVerdict)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.verdict(documentOf(t, body))
	checkFault(t, err, "no such overload")
}

// TestFormulasAreBounded: what holds for answers holds for formulas.
func TestFormulasAreBounded(t *testing.T) {
	source, err := OpenAll("shop/webui", []v1alpha1.Load{loadOf("a", "h", "body.load"), formulaOf("score", `[[a]]`+strings.Repeat(`.map(x, [x, x])`, 40)+`.map(A, A == A ? 1 : 2)[0]`)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = source[1].formula.work(map[string]float64{"a": 1})
	checkFault(t, err, "== of lists")
}
