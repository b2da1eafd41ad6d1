package elastic

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// reasonForm is what API conventions make of a reason, with the dots that ECI adds.
var reasonForm = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_.,:-]*[A-Za-z0-9_])?$`)

// With returns the rules with those of the user, each as Parse takes it. Several
// rules for one name add up. A rule for the name of a provider that is already
// there adds to that one; the user's own providers are asked before all others,
// in the order in which they are first named. The rules it is called on stay as
// they are. The error names the rule, or the provider that no rule gives a mark.
func (r Rules) With(rules ...string) (Rules, error) {
	var own Rules
	known := slices.Clone(r)
	for _, rule := range rules {
		p, err := Parse(rule)
		if err != nil {
			return nil, err
		}
		if !known.add(p) && !own.add(p) {
			own = append(own, p)
		}
	}
	for _, p := range own {
		if len(p.Labels)+len(p.Taints)+len(p.Names) == 0 {
			return nil, fmt.Errorf("elastic provider %q has a sold-out rule and nothing to know its nodes by: "+
				"add a rule such as %s:label=example.com/serverless, or take one of the names %s", p.Name, p.Name, strings.Join(r.names(), ", "))
		}
	}
	return append(own, known...), nil
}

// add adds marks and signs to the provider of the same name, if there is one.
func (r Rules) add(p Provider) bool {
	i := slices.IndexFunc(r, func(q Provider) bool { return q.Name == p.Name })
	if i < 0 {
		return false
	}
	// Never append: the slices may be shared with a built-in provider.
	r[i].Labels = slices.Concat(r[i].Labels, p.Labels)
	r[i].Taints = slices.Concat(r[i].Taints, p.Taints)
	r[i].Names = slices.Concat(r[i].Names, p.Names)
	r[i].Refusals = slices.Concat(r[i].Refusals, p.Refusals)
	return true
}

func (r Rules) names() []string {
	var names []string
	for _, p := range r {
		names = append(names, p.Name)
	}
	return names
}

// Parse reads one rule: the name of a provider, a colon, and one of
//
//	label=<key>            a label of its nodes, with any value
//	label=<key>=<value>    a label of its nodes
//	taint=<key>            a taint of its nodes, with any value and effect
//	node=<pattern>         a pattern of their names, as path.Match understands it
//	sold-out=<reason>      the reason of a pod, or of one of its conditions, when it got no capacity
//
// The error says which rule, what was expected, and gives an example.
func Parse(rule string) (Provider, error) {
	p, err := parse(rule)
	if err != nil {
		return Provider{}, fmt.Errorf("elastic rule %q: %w", rule, err)
	}
	return p, nil
}

func parse(rule string) (Provider, error) {
	name, mark, ok := strings.Cut(rule, ":")
	if !ok {
		return Provider{}, errors.New("want <name>:<mark>=<value>, for example burst:label=example.com/serverless=true")
	}
	if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
		return Provider{}, fmt.Errorf("the name %q before the colon is none: %s", name, problems[0])
	}
	kind, value, _ := strings.Cut(mark, "=")
	p := Provider{Name: name}
	var err error
	switch kind {
	case "label":
		err = p.parseLabel(value)
	case "taint":
		p.Taints, err = []string{value}, checkKey(value)
	case "node":
		p.Names, err = []string{value}, checkPattern(value)
	case "sold-out":
		p.Refusals, err = []Sign{{Reasons: []string{lastWord(value)}}}, checkReason(value)
	default:
		err = fmt.Errorf("%q is no mark: want label=, taint=, node= or sold-out=, for example %s:taint=example.com/serverless", kind, name)
	}
	return p, err
}

func (p *Provider) parseLabel(text string) error {
	key, value, valued := strings.Cut(text, "=")
	p.Labels = []Label{{Key: key, Value: value}}
	if err := checkKey(key); err != nil {
		return err
	}
	if valued && value == "" {
		return fmt.Errorf("the label %q has an empty value: want label=%s for any value, or label=%s=true for one", text, key, key)
	}
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		return fmt.Errorf("%q is no label value: %s", value, problems[0])
	}
	return nil
}

func checkKey(key string) error {
	if problems := validation.IsQualifiedName(key); len(problems) > 0 {
		return fmt.Errorf("%q is no label or taint key: %s; want one such as example.com/serverless", key, problems[0])
	}
	return nil
}

func checkPattern(pattern string) error {
	if pattern == "" {
		return errors.New("the pattern of node names is empty: want one such as node=burst-*")
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("%q is no pattern of node names: %w; want one such as node=burst-* or node=burst-[0-9]", pattern, err)
	}
	return nil
}

func checkReason(reason string) error {
	if !reasonForm.MatchString(reason) {
		return fmt.Errorf("%q is no reason: want one word as it stands in the pod's status, such as sold-out=NoStock", reason)
	}
	return nil
}
