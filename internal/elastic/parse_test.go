package elastic

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestParse(t *testing.T) {
	for rule, want := range map[string]Provider{
		"burst:label=example.com/serverless=true": {Name: "burst", Labels: []Label{{"example.com/serverless", "true"}}},
		"burst:label=pool":                        {Name: "burst", Labels: []Label{{"pool", ""}}},
		"burst:taint=example.com/serverless":      {Name: "burst", Taints: []string{"example.com/serverless"}},
		"burst-2:node=burst-[0-9]*":               {Name: "burst-2", Names: []string{"burst-[0-9]*"}},
		"bci:sold-out=NO_STOCK":                   {Name: "bci", Refusals: []Sign{{Reasons: []string{"NO_STOCK"}}}},
		"eci:sold-out=ContainerGroup.NoAddress":   {Name: "eci", Refusals: []Sign{{Reasons: []string{"NoAddress"}}}},
	} {
		if got, err := Parse(rule); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", rule, got, err, want)
		}
	}
}

// An error names the rule, and says enough to write it right.
func TestParseErrors(t *testing.T) {
	const example = "want <name>:<mark>=<value>, for example burst:label=example.com/serverless=true"
	for rule, want := range map[string]string{
		"":                      example,
		"burst":                 example,
		"label=a":               example,
		":label=a":              `the name "" before the colon is none: a lowercase RFC 1123 label`,
		"My Nodes:label=a":      `the name "My Nodes" before the colon is none: a lowercase RFC 1123 label`,
		"burst:":                `"" is no mark: want label=, taint=, node= or sold-out=, for example burst:taint=example.com/serverless`,
		"burst:annotation=a":    `"annotation" is no mark: want label=, taint=, node= or sold-out=, for example burst:taint=example.com/serverless`,
		"burst:label":           `"" is no label or taint key: `,
		"burst:label==true":     `"" is no label or taint key: `,
		"burst:label=a/b/c=d":   `"a/b/c" is no label or taint key: `,
		"burst:label=pool=":     `the label "pool=" has an empty value: want label=pool for any value, or label=pool=true for one`,
		"burst:label=pool=a=b":  `"a=b" is no label value: `,
		"burst:taint=a b":       `"a b" is no label or taint key: `,
		"burst:taint=key=value": `"key=value" is no label or taint key: `,
		"burst:node=":           "the pattern of node names is empty: want one such as node=burst-*",
		"burst:node=burst-[0-9": `"burst-[0-9" is no pattern of node names: syntax error in pattern; want one such as node=burst-* or node=burst-[0-9]`,
		"burst:sold-out=":       `"" is no reason: want one word as it stands in the pod's status, such as sold-out=NoStock`,
		"burst:sold-out=No it":  `"No it" is no reason: want one word as it stands in the pod's status, such as sold-out=NoStock`,
		"burst:sold-out=a.":     `"a." is no reason: want one word as it stands in the pod's status, such as sold-out=NoStock`,
	} {
		got, err := Parse(rule)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `elastic rule "`+rule+`": `) {
			t.Errorf("Parse(%q): %v; want it to name the rule and say %q", rule, err, want)
		}
		if !reflect.DeepEqual(got, Provider{}) {
			t.Errorf("Parse(%q) = %+v beside its error, want nothing", rule, got)
		}
	}
}

func TestWith(t *testing.T) {
	rules, err := Known().With(
		"burst:label=pool=burst",
		"eci:node=my-eci-*",
		"other:node=other-*",
		"burst:taint=example.com/burst",
		"burst:sold-out=Gone",
		"eci:sold-out=NoAddress",
	)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rules.names(), append([]string{"burst", "other"}, Known().names()...); !slices.Equal(got, want) {
		t.Errorf("asked in the order %v, want %v", got, want)
	}
	for name, node := range map[string]corev1.Node{
		"burst":           labelled("pool", "burst"),
		"other":           named("other-1"),
		"eci":             named("my-eci-1"),
		"virtual-kubelet": labelled("type", "virtual-kubelet"),
	} {
		if p, ok := rules.Of(&node); !ok || p.Name != name {
			t.Errorf("the node of %s is known as %q, %v", name, p.Name, ok)
		}
	}
	tainted := corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "example.com/burst"}}}}
	burst, ok := rules.Of(&tainted)
	if !ok || burst.Name != "burst" {
		t.Fatalf("the second rule of burst does not add up: %q, %v", burst.Name, ok)
	}
	gone := corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
		{Type: "example.com/Created", Status: corev1.ConditionFalse, Reason: "Gone", Message: "nothing left"},
	}}}
	if message, ok := burst.SoldOut(&gone); !ok || message != "nothing left" {
		t.Errorf("SoldOut by the user's reason = %q, %v; want nothing left", message, ok)
	}
	if !rules.Reads(gone.Status.Conditions[0]) || Known().Reads(gone.Status.Conditions[0]) {
		t.Error("the condition must be kept for the user's reason, and for no other")
	}
}

// A user's provider is asked before the built-in ones, whose marks its nodes may carry too.
func TestWithAsksTheUsersFirst(t *testing.T) {
	rules, err := Known().With("edge:label=zone=edge")
	if err != nil {
		t.Fatal(err)
	}
	node := labelled("zone", "edge")
	node.Labels["type"] = "virtual-kubelet"
	if p, _ := rules.Of(&node); p.Name != "edge" {
		t.Errorf("known as %q, want edge", p.Name)
	}
}

// The rules it is called on, and the built-in providers, stay as they are.
func TestWithChangesNothing(t *testing.T) {
	before, err := Known().With("eci:label=a", "eci:label=b", "eci:label=c")
	if err != nil {
		t.Fatal(err)
	}
	one, err := before.With("eci:label=one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.With("eci:label=two"); err != nil {
		t.Fatal(err)
	}
	node := labelled("one", "")
	if p, ok := one.Of(&node); !ok || p.Name != "eci" {
		t.Errorf("the first rule is lost to a later call: known as %q, %v", p.Name, ok)
	}
	for name, rules := range map[string]Rules{"before": before, "built-in": Known()} {
		if p, ok := rules.Of(&node); ok {
			t.Errorf("%s: the rule of a later call shows: known as %q", name, p.Name)
		}
	}
}

func TestWithErrors(t *testing.T) {
	if _, err := Known().With("burst:label=a", "burst"); err == nil || !strings.Contains(err.Error(), `elastic rule "burst": want`) {
		t.Errorf("a bad rule: %v; want its name and the reason", err)
	}
	// Most likely a slip in the name of a built-in provider.
	_, err := Known().With("vcl:sold-out=NoStock")
	const want = `elastic provider "vcl" has a sold-out rule and nothing to know its nodes by: ` +
		"add a rule such as vcl:label=example.com/serverless, or take one of the names vci, eci-vnode,"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a provider without a mark: %v\nwant %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"burst:label=example.com/serverless=true", "burst:label=key", "burst:taint=key", "burst:node=burst-*", "eci:sold-out=NoStock", "a:node=[", "::", "a:label="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		p, err := Parse(rule)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "elastic rule ") {
				t.Errorf("error %q does not name the rule", err)
			}
			return
		}
		if n := len(p.Labels) + len(p.Taints) + len(p.Names) + len(p.Refusals); n != 1 || p.Name == "" || len(p.Notices) > 0 {
			t.Errorf("%d marks in %+v, want one of a provider with a name", n, p)
		}
		if len(p.Refusals) == 1 {
			pod := podsWith(p.Refusals)[0]
			if _, ok := p.SoldOut(&pod); !ok {
				t.Errorf("its own reason is not found in %+v", pod.Status)
			}
			return
		}
		rules, err := Known().With(rule)
		if err != nil {
			t.Fatalf("Parse takes it, With does not: %v", err)
		}
		// An ordinary machine is known by no rule that is not about it.
		plain := named("plain-machine")
		if q, ok := rules.Of(&plain); ok && len(p.Names) == 0 {
			t.Errorf("a machine without marks is known as %q", q.Name)
		}
	})
}

func labelled(key, value string) corev1.Node {
	var node corev1.Node
	node.Labels = map[string]string{key: value}
	return node
}

func named(name string) corev1.Node {
	var node corev1.Node
	node.Name = name
	return node
}
