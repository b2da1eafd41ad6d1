package controller

import (
	"errors"
	"fmt"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// fallbacksOf resolves the rule for each state: its own fields, and where it
// gives none the fallback's. A state about which nothing is said has no rule.
func fallbacksOf(spec *v1alpha1.Fallback) (map[scaling.State]scaling.Fallback, error) {
	if spec == nil {
		return nil, nil
	}
	general, rules := spec.FallbackRule, map[scaling.State]scaling.Fallback{}
	var errs []error
	for _, s := range []struct {
		state scaling.State
		field string
		own   *v1alpha1.FallbackRule
	}{
		{scaling.Stale, "fallback.stale", spec.Stale},
		{scaling.Failed, "fallback.failed", spec.Failed},
		{scaling.Invalid, "fallback.invalid", spec.Invalid},
	} {
		if s.own == nil && general == (v1alpha1.FallbackRule{}) {
			continue
		}
		rule, err := fallbackOf(s.field, inherit(s.own, general))
		rules[s.state] = rule
		errs = append(errs, err)
	}
	if len(rules) == 0 {
		errs = append(errs, errors.New("fallback: expected after and replicas, got neither"))
	}
	return rules, errors.Join(errs...)
}

// inherit fills what a rule leaves out.
func inherit(own *v1alpha1.FallbackRule, general v1alpha1.FallbackRule) v1alpha1.FallbackRule {
	if own == nil {
		return general
	}
	rule := *own
	if rule.After == nil {
		rule.After = general.After
	}
	if rule.Replicas == nil {
		rule.Replicas = general.Replicas
	}
	if rule.Behavior == "" {
		rule.Behavior = general.Behavior
	}
	return rule
}

// fallbackOf resolves one whole rule. Its replicas mean nothing to CurrentReplicas.
func fallbackOf(field string, rule v1alpha1.FallbackRule) (scaling.Fallback, error) {
	out := scaling.Fallback{After: duration(rule.After, 0), Replicas: orDefault(rule.Replicas, 0), Behavior: scaling.FallbackBehavior(rule.Behavior)}
	var errs []error
	refuse := func(what, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s.%s: %s", field, what, fmt.Sprintf(format, args...)))
	}
	switch {
	case rule.After == nil:
		refuse("after", "expected a duration such as 5m, here or in fallback.after, got none")
	case out.After < 0:
		refuse("after", "expected 0s or more, got %s", out.After)
	}
	switch out.Behavior {
	case "":
		out.Behavior = scaling.FallbackStatic
	case scaling.FallbackStatic, scaling.FallbackCurrent, scaling.FallbackHigher, scaling.FallbackLower:
	default:
		refuse("behavior", "expected Static, CurrentReplicas, CurrentReplicasIfHigher or CurrentReplicasIfLower, got %s", out.Behavior)
	}
	switch {
	case rule.Replicas == nil && out.Behavior != scaling.FallbackCurrent:
		refuse("replicas", "expected a number for the behavior %s, here or in fallback.replicas, got none", out.Behavior)
	case out.Replicas < 0:
		refuse("replicas", "expected 0 or more, got %d", out.Replicas)
	}
	return out, errors.Join(errs...)
}
