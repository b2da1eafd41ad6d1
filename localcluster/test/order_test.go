package test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller"

	"cusme.dev/cusme/internal/scaling"
)

// podSets are as many as take a few seconds.
const podSets = 120_000

// The pods that Decide expects to lose, against the ReplicaSet controller's own comparison of pods.
func TestRemovalOrderIsTheReplicaSetControllers(t *testing.T) {
	random := rand.New(rand.NewPCG(2026, 1))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	compared, circular, ties := 0, 0, 0
	for range podSets {
		set := randomSet(random, now)
		theirs := set.ranked()
		if !weaklyOrdered(theirs) {
			circular++
			continue
		}
		compared++
		random.Shuffle(theirs.Len(), theirs.Swap) // a lister's order is any
		sort.Sort(theirs)
		n, err := sameOrder(set.lost(), theirs)
		if err != nil {
			t.Fatalf("%v\n%s", err, set)
		}
		ties += n
	}
	// With equal times the controller looks at restarts, else at UIDs: three pods can then each go before the next, in a
	// circle, and the order depends on how they were sorted. Such sets have no right answer.
	if circular > podSets/500 {
		t.Errorf("%d of %d sets have no order: too many for a comparison", circular, podSets)
	}
	fmt.Printf("ReplicaSet controller against Decide: %d sets of pods in the same order, %d without any order, %d places shared by pods it does not tell apart\n", compared, circular, ties)
}

// The pods that cusme chooses, marked as Decide says, against those that the ReplicaSet controller then removes: the same
// ones, whenever it looks within the next minute.
func TestRemovalTakesTheChosenPods(t *testing.T) {
	random := rand.New(rand.NewPCG(2026, 2))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	compared, lost, marked := 0, 0, 0
	for range podSets {
		set := randomSet(random, now)
		set.dress(random)
		d := set.chosen(1 + random.Int32N(max(1, set.active()-1)))
		k := len(d.Lose)
		if k == 0 || k == int(set.active()) {
			continue // When none goes or all go, nobody chooses.
		}
		set.mark(d.Mark)
		set.now = now.Add(time.Duration(random.IntN(61_000)) * time.Millisecond)
		theirs := set.ranked()
		random.Shuffle(theirs.Len(), theirs.Swap) // a lister's order is any
		sort.Sort(theirs)
		if err := sameSet(d.Lose, theirs.Pods[:k]); err != nil {
			t.Fatalf("%v, marked %v\n%s", err, d.Mark, set)
		}
		compared, lost, marked = compared+1, lost+k, marked+len(d.Mark)
	}
	if compared < 100_000 {
		t.Errorf("only %d of %d sets were compared", compared, podSets)
	}
	fmt.Printf("ReplicaSet controller against marks: in %d sets of pods just those %d went that were chosen, %d of them marked\n", compared, lost, marked)
}

// dress gives pods what cusme chooses by and the ReplicaSet controller knows nothing of. Nobody else sets costs.
func (s podSet) dress(random *rand.Rand) {
	for i := range s.pods {
		p := &s.pods[i]
		p.Cost, p.Marked = 0, random.IntN(5) == 0
		p.Elastic = random.IntN(2) == 0
		p.Broken = pick(random, "", "", "", "CrashLoopBackOff")
		p.Doomed = pick(random, "", "", "", "", "a spot reclaim")
		p.Busy = pick(random, "", scaling.Idle, scaling.Working)
	}
}

// chosen asks Decide to leave so many pods: a maximum outranks whatever else would keep more.
func (s podSet) chosen(most int32) scaling.Decision {
	o := scaling.Observation{Now: s.now, Replicas: s.active(), Pods: s.pods, Order: scaling.OrderCost}
	p := scaling.Policy{Max: most, MinPodAge: 12 * time.Hour, StartDeadline: time.Hour}
	return scaling.Decide(o, p, scaling.History{})
}

// mark sets the deletion cost of the named pods, and of no others.
func (s podSet) mark(names []string) {
	for i := range s.pods {
		s.pods[i].Cost = 0
		if slices.Contains(names, s.pods[i].Name) {
			s.pods[i].Cost = -1
		}
	}
}

// sameSet compares names with pods, in any order.
func sameSet(ours []string, theirs []*corev1.Pod) error {
	var names []string
	for _, p := range theirs {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if ours = slices.Sorted(slices.Values(ours)); !slices.Equal(ours, names) {
		return fmt.Errorf("Decide chose %v, and %v went", ours, names)
	}
	return nil
}

type podSet struct {
	now  time.Time
	pods []scaling.Pod
}

// randomSet is of pods that differ in everything, or, every second one, of pods that only their times, restarts and UIDs tell apart.
func randomSet(random *rand.Rand, now time.Time) podSet {
	set := podSet{now: now}
	alike := random.IntN(2) == 0
	ready := random.IntN(4) > 0
	for i := range 2 + random.IntN(7) {
		p := randomPod(random, now, i)
		if alike {
			p.Node, p.Phase, p.Cost, p.Ready = "a", scaling.PhaseRunning, 0, ready
		}
		if p.Ready {
			p.ReadySince = randomTime(random, now)
		}
		set.pods = append(set.pods, p)
	}
	return set
}

func randomPod(random *rand.Rand, now time.Time, i int) scaling.Pod {
	return scaling.Pod{
		Name:            "pod-" + strconv.Itoa(i),
		UID:             fmt.Sprintf("%08x-%d", random.Uint32(), i),
		Node:            pick(random, "", "a", "a", "b", "c"),
		Phase:           pick(random, scaling.PhasePending, scaling.PhaseUnknown, scaling.PhaseRunning, scaling.PhaseRunning, scaling.PhaseRunning),
		Ready:           random.IntN(3) > 0,
		Created:         randomTime(random, now),
		Restarts:        pick[int32](random, 0, 0, 1, 7),
		SidecarRestarts: pick[int32](random, 0, 0, 2),
		Cost:            pick[int32](random, 0, 0, 0, -5, 100),
		Leaving:         random.IntN(10) == 0,
	}
}

// randomTime is in whole seconds, as in the API, and often one that another pod has too; seldom unknown or in the future.
func randomTime(random *rand.Rand, now time.Time) time.Time {
	switch random.IntN(12) {
	case 0:
		return time.Time{}
	case 1:
		return now.Add(time.Duration(random.IntN(3)) * time.Second)
	case 2, 3:
		return now.Add(-pick(random, time.Second, time.Minute, time.Hour))
	default:
		return now.Add(-time.Duration(random.IntN(200_000)) * time.Second)
	}
}

func pick[T any](random *rand.Rand, from ...T) T {
	return from[random.IntN(len(from))]
}

// lost asks Decide: with a maximum of none, every pod goes.
func (s podSet) lost() []string {
	o := scaling.Observation{Now: s.now, Replicas: s.active(), Pods: s.pods, Order: scaling.OrderRank}
	return scaling.Decide(o, scaling.Policy{StartDeadline: time.Hour}, scaling.History{}).Lose
}

func (s podSet) active() (n int32) {
	for _, p := range s.pods {
		if !p.Leaving {
			n++
		}
	}
	return n
}

// ranked is what the ReplicaSet controller sorts: the active pods, each with how many of them are on its node.
func (s podSet) ranked() controller.ActivePodsWithRanks {
	ranked := controller.ActivePodsWithRanks{Now: metav1.NewTime(s.now)}
	crowd := map[string]int{}
	for _, p := range s.pods {
		pod := s.real(p)
		if !controller.IsPodActive(pod) {
			continue
		}
		ranked.Pods = append(ranked.Pods, pod)
		crowd[p.Node]++
	}
	for _, pod := range ranked.Pods {
		ranked.Rank = append(ranked.Rank, crowd[pod.Spec.NodeName])
	}
	return ranked
}

func (s podSet) real(p scaling.Pod) *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, UID: types.UID(p.UID), CreationTimestamp: metav1.NewTime(p.Created)},
		Spec:       corev1.PodSpec{NodeName: p.Node, InitContainers: []corev1.Container{{Name: "sidecar", RestartPolicy: &always}, {Name: "init"}}},
		Status: corev1.PodStatus{
			Phase:             corev1.PodPhase(p.Phase),
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}},
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: p.Restarts}, {RestartCount: p.Restarts / 2}},
			// An ordinary init container's restarts do not count.
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "sidecar", RestartCount: p.SidecarRestarts}, {Name: "init", RestartCount: 9}},
		},
	}
	if p.Ready {
		pod.Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(p.ReadySince)}
	}
	if p.Cost != 0 {
		pod.Annotations = map[string]string{corev1.PodDeletionCost: strconv.Itoa(int(p.Cost))}
	}
	if p.Leaving {
		pod.DeletionTimestamp = &metav1.Time{Time: s.now}
	}
	return pod
}

// weaklyOrdered reports whether both "goes before" and "is not told apart from" are transitive: else a sort has no right result.
func weaklyOrdered(pods controller.ActivePodsWithRanks) bool {
	n := pods.Len()
	less := make([][]bool, n)
	for i := range n {
		less[i] = make([]bool, n)
		for j := range n {
			less[i][j] = i != j && pods.Less(i, j)
		}
	}
	for i := range n {
		for j := range n {
			for k := range n {
				tied := !less[i][j] && !less[j][i] && !less[j][k] && !less[k][j]
				if less[i][j] && less[j][k] && !less[i][k] || tied && (less[i][k] || less[k][i]) {
					return false
				}
			}
		}
	}
	return true
}

// sameOrder compares names with sorted pods, and counts the places where they differ because the controller does not tell the two apart.
func sameOrder(ours []string, theirs controller.ActivePodsWithRanks) (ties int, err error) {
	if len(ours) != theirs.Len() {
		return 0, fmt.Errorf("Decide loses %d pods of %d", len(ours), theirs.Len())
	}
	for i, name := range ours {
		at := slices.IndexFunc(theirs.Pods, func(p *corev1.Pod) bool { return p.Name == name })
		switch {
		case at == i:
		case at < 0, theirs.Less(at, i), theirs.Less(i, at):
			return 0, fmt.Errorf("as number %d Decide loses %s, the ReplicaSet controller %s; the former's place there is %d", i, name, theirs.Pods[i].Name, at)
		default:
			ties++
		}
	}
	return ties, nil
}

func (s podSet) String() string {
	var lines []string
	for _, p := range s.pods {
		lines = append(lines, fmt.Sprintf("  %+v", p))
	}
	return strings.Join(lines, "\n")
}
