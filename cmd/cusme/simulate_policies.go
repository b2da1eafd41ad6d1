package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/controller"
	"cusme.dev/cusme/internal/scaling"
	"cusme.dev/cusme/internal/simulate"
)

// A candidate is a LoadScaler to replay.
type candidate struct {
	subject
	policy scaling.Policy // of the one load
}

// contenders returns what --policies names, each in its world. The others live in that of the first LoadScaler; the
// same wait is too long for all, as they stand in one table.
func (r *rehearsal) contenders(candidates []candidate) ([]entry, error) {
	first := candidates[0]
	world := r.model.world(first.spec, first.policy)
	var all []entry
	for _, name := range r.names() {
		if name == "cusme" {
			for _, c := range candidates {
				own := simulate.Cusme(c.name, c.policy)
				own.Every = controller.IntervalOf(c.spec)
				e := entry{Contender: own, world: r.model.world(c.spec, c.policy)}
				e.world.Limit = world.Limit
				if c.policy.Objective == nil {
					e.low, e.high = c.policy.Loads[0].Low, c.policy.Loads[0].High
				}
				all = append(all, e)
			}
			continue
		}
		found, err := peers(name, first.policy)
		if err != nil {
			return nil, fmt.Errorf("--policies: %w", err)
		}
		for _, c := range found {
			all = append(all, entry{Contender: c, world: world})
		}
	}
	return all, distinct(all)
}

// everyone is what all stands for.
var everyone = []string{"cusme", "original", "hpa", "keda", "wpa", "kpa", "aibrix"}

// names are those of the policies, each once.
func (r *rehearsal) names() []string {
	var names []string
	for _, name := range r.policies {
		some := []string{strings.TrimSpace(name)}
		if some[0] == "all" {
			some = everyone
		}
		for _, n := range some {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}

// A band is what peers go by.
type band struct{ low, high, target float64 }

// bandOf is a policy's band; one with an objective has none, then it is the original's.
func bandOf(p scaling.Policy) band {
	if l := p.Loads[0]; p.Objective == nil {
		return band{l.Low, l.High, l.Target}
	}
	return band{0.5, 0.8, 0.65}
}

// peers returns the policies of a name, as they do in the place of cusme's own.
func peers(name string, own scaling.Policy) ([]simulate.Contender, error) {
	switch b := bandOf(own); name {
	case "original":
		step := scaling.FixedStep{Up: 3, Down: 1}
		return []simulate.Contender{simulate.Original(time.Minute, step, 10*time.Minute)}, nil
	case "hpa":
		return []simulate.Contender{simulate.HPA(b.target)}, nil
	case "keda":
		return []simulate.Contender{simulate.KEDA(b.target)}, nil
	case "wpa":
		return []simulate.Contender{simulate.Watermark(b.high, b.low)}, nil
	case "kpa":
		return []simulate.Contender{simulate.Knative(b.target)}, nil
	case "aibrix":
		return []simulate.Contender{simulate.AIBrix(b.target)}, nil
	}
	if number, is := strings.CutPrefix(name, "fixed:"); is {
		n, err := strconv.ParseInt(number, 10, 32)
		switch {
		case err != nil:
			return nil, fmt.Errorf("expected a number of replicas such as fixed:8, got %q", name)
		case int32(n) < own.Min || int32(n) > own.Max:
			return nil, fmt.Errorf("expected replicas from minReplicas to maxReplicas, %d to %d, got %q", own.Min, own.Max, name)
		}
		return []simulate.Contender{simulate.Fixed(int32(n))}, nil
	}
	return nil, fmt.Errorf("expected %s, fixed:N or all, got %q", strings.Join(everyone, ", "), name)
}

// distinct refuses two policies of one name, which nobody could tell apart.
func distinct(all []entry) error {
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.Name] {
			return fmt.Errorf("expected policies and LoadScalers of different names, got two %s", e.Name)
		}
		seen[e.Name] = true
	}
	return nil
}

// candidates reads the LoadScalers of the files.
func (r *rehearsal) candidates() ([]candidate, error) {
	if len(r.files) == 0 {
		c, err := r.understand(subject{name: "cusme", spec: ordinary()})
		return []candidate{c}, err
	}
	var all []candidate
	for _, path := range r.files {
		found, err := scalerFile{path: path, stdin: r.stdin, namespace: r.namespace}.scalers()
		if err != nil {
			return nil, fmt.Errorf("-f: %w", err)
		}
		for _, s := range found {
			c, err := r.understand(subject{namespace: s.Namespace, name: s.Name, spec: s.Spec})
			if err != nil {
				return nil, fmt.Errorf("-f: %s: LoadScaler %s/%s: %w", path, s.Namespace, s.Name, err)
			}
			all = append(all, c)
		}
	}
	return all, nil
}

// ordinary is a LoadScaler for people who do not want to pick thresholds, and may ask for a hundred pods.
func ordinary() v1alpha1.LoadScalerSpec {
	wait := metav1.Duration{Duration: 30 * time.Second}
	return v1alpha1.LoadScalerSpec{MaxReplicas: 100, Loads: []v1alpha1.Load{{Name: "load"}}, Objective: &v1alpha1.Objective{Wait: wait}}
}

// understand resolves a LoadScaler's policy, and finds the one of its loads to go by.
func (r *rehearsal) understand(s subject) (candidate, error) {
	p, err := controller.PolicyOf(s.spec)
	if err != nil {
		return candidate{}, err
	}
	asking := slices.DeleteFunc(slices.Clone(p.Loads), func(l scaling.Load) bool {
		return l.Input || r.load != "" && l.Name != r.load
	})
	switch {
	case len(asking) == 0:
		return candidate{}, fmt.Errorf("--load: expected the name of a load that asks for replicas, got %q", r.load)
	case len(asking) > 1:
		return candidate{}, errors.New("--load: expected the name of one of its loads: the model has no more than one")
	}
	if r.model.warm > p.Max {
		return candidate{}, fmt.Errorf("--warm: expected at most maxReplicas, %d, got %d", p.Max, r.model.warm)
	}
	p.Loads = asking
	i := slices.IndexFunc(s.spec.Loads, func(l v1alpha1.Load) bool { return l.Name == asking[0].Name })
	s.load = s.spec.Loads[i]
	return candidate{s, p}, nil
}
