package elastic

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// lines of a pod's file: on which providers' nodes it may run, and what is to be said of it.
var (
	onLine   = regexp.MustCompile(`(?m)^# on: (.+)$`)
	wantLine = regexp.MustCompile(`(?m)^# want: (nothing|sold out: .+|reclaim: .+)$`)
)

func TestPods(t *testing.T) {
	for name, c := range podExamples(t) {
		for _, p := range c.on {
			t.Run(name+"/"+p.Name, func(t *testing.T) {
				if got := said(p, &c.pod); got != c.want {
					t.Errorf("says %q\nwant %q", got, c.want)
				}
			})
		}
	}
}

// The fields that Reads promises are all that is read: a watch may drop the rest.
func TestWhatIsRead(t *testing.T) {
	for name, c := range podExamples(t) {
		kept := onlyRead(&c.pod)
		for _, p := range c.on {
			if got := said(p, kept); got != c.want {
				t.Errorf("%s on %s: of the kept fields it says %q, want %q", name, p.Name, got, c.want)
			}
		}
	}
}

// A condition that no provider reads is not kept, or the watch would wake
// scalers for nothing.
func TestReadsNoMore(t *testing.T) {
	for _, c := range []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue},
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable"},
		{Type: "ContainerInstanceCreated", Status: corev1.ConditionFalse, Reason: "Creating"},
		{Type: "ContainerInstanceCreated", Status: corev1.ConditionTrue, Reason: "NoStock"},
	} {
		if Known().Reads(c) {
			t.Errorf("condition %s=%s %s is read, want not", c.Type, c.Status, c.Reason)
		}
	}
}

// Each reason of each sign must be able to decide alone, or a slip in one would
// hide behind the others.
func TestEverySignIsEnough(t *testing.T) {
	for _, p := range Known() {
		for _, pod := range podsWith(p.Refusals) {
			if message, ok := p.SoldOut(&pod); !ok || message == "" {
				t.Errorf("%s: %q, %v for a pod with nothing but %+v", p.Name, message, ok, pod.Status)
			}
		}
		for _, pod := range podsWith(p.Notices) {
			if why, ok := p.Reclaim(&pod); !ok || why == "" {
				t.Errorf("%s: %q, %v for a pod with nothing but %+v", p.Name, why, ok, pod.Status)
			}
		}
	}
}

// Any trace of a container that ran is enough to be not sold out.
func TestStarted(t *testing.T) {
	terminated := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	for name, status := range map[string]corev1.ContainerStatus{
		"running":           {State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		"terminated":        {State: terminated},
		"terminated before": {LastTerminationState: terminated},
		"restarted":         {RestartCount: 1},
	} {
		pod := corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "ProviderFailed"}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{}, status}
		if message, ok := vci.SoldOut(&pod); ok {
			t.Errorf("%s: sold out: %s; want not", name, message)
		}
		pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses = pod.Status.ContainerStatuses, nil
		if message, ok := vci.SoldOut(&pod); ok {
			t.Errorf("%s, init container: sold out: %s; want not", name, message)
		}
	}
}

func TestMessagesAreOneBoundedLine(t *testing.T) {
	pod := corev1.Pod{Status: corev1.PodStatus{Reason: "ProviderFailed", Message: "无库存\r\n\t" + strings.Repeat("缺", 600) + "\u2028"}}
	message, ok := vci.SoldOut(&pod)
	if !ok || utf8.RuneCountInString(message) != messageLength || !utf8.ValidString(message) || strings.ContainsAny(message, "\r\n\t\u2028") {
		t.Errorf("message %q, want one line of %d characters", message, messageLength)
	}
	if want := "无库存 缺"; !strings.HasPrefix(message, want) {
		t.Errorf("message %q, want it to begin with %q", message, want)
	}
}

func TestNoPod(t *testing.T) {
	for _, p := range Known() {
		if message, ok := p.SoldOut(nil); ok || message != "" {
			t.Errorf("%s: SoldOut(nil) = %q, %v; want nothing", p.Name, message, ok)
		}
		if why, ok := p.Reclaim(nil); ok || why != "" {
			t.Errorf("%s: Reclaim(nil) = %q, %v; want nothing", p.Name, why, ok)
		}
	}
}

type podExample struct {
	pod  corev1.Pod
	on   Rules
	want string
}

// podExamples are the pods of testdata/pods by the names of their files.
func podExamples(t *testing.T) map[string]podExample {
	t.Helper()
	all := map[string]podExample{}
	for name, text := range files(t, "testdata/pods") {
		on, want := onLine.FindSubmatch(text), wantLine.FindSubmatch(text)
		if on == nil || want == nil {
			t.Fatalf("%s: no line \"# on: <providers>\" or \"# want: nothing | sold out: <message> | reclaim: <why>\"", name)
		}
		c := podExample{on: providersNamed(t, string(on[1])), want: string(want[1])}
		if err := yaml.UnmarshalStrict(text, &c.pod); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = c
	}
	if len(all) != 31 {
		t.Fatalf("testdata has %d pods, want all 31", len(all))
	}
	return all
}

// files are the texts of a folder's YAML files by their names.
func files(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(folder + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string][]byte{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimSuffix(filepath.Base(p), ".yaml")] = text
	}
	return texts
}

// providersNamed are all known providers, or the ones that are named.
func providersNamed(t *testing.T, names string) Rules {
	t.Helper()
	if names == "all" {
		return Known()
	}
	var on Rules
	for _, name := range strings.Fields(names) {
		i := slices.Index(Known().names(), name)
		if i < 0 {
			t.Fatalf("no provider has the name %s", name)
		}
		on = append(on, Known()[i])
	}
	return on
}

// said is what a provider has to say of a pod, as the files of testdata/pods write it.
func said(p Provider, pod *corev1.Pod) string {
	var lines []string
	if message, ok := p.SoldOut(pod); ok {
		lines = append(lines, "sold out: "+message)
	}
	if why, ok := p.Reclaim(pod); ok {
		lines = append(lines, "reclaim: "+why)
	}
	if lines == nil {
		return "nothing"
	}
	return strings.Join(lines, "\n")
}

// onlyRead keeps the fields that Reads promises are enough.
func onlyRead(pod *corev1.Pod) *corev1.Pod {
	kept := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: pod.DeletionTimestamp},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message,
			InitContainerStatuses: onlyStates(pod.Status.InitContainerStatuses),
			ContainerStatuses:     onlyStates(pod.Status.ContainerStatuses),
		},
	}
	for _, c := range pod.Status.Conditions {
		if Known().Reads(c) {
			kept.Status.Conditions = append(kept.Status.Conditions,
				corev1.PodCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message})
		}
	}
	return kept
}

func onlyStates(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	for _, s := range statuses {
		k := corev1.ContainerStatus{RestartCount: s.RestartCount}
		if s.State.Running != nil {
			k.State.Running = &corev1.ContainerStateRunning{}
		}
		if s.State.Terminated != nil {
			k.State.Terminated = &corev1.ContainerStateTerminated{}
		}
		if s.LastTerminationState.Terminated != nil {
			k.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{}
		}
		kept = append(kept, k)
	}
	return kept
}

// podsWith are pending pods, each with one of the reasons of the signs and nothing else.
func podsWith(signs []Sign) []corev1.Pod {
	var pods []corev1.Pod
	for _, s := range signs {
		reasons := s.Reasons
		if len(reasons) == 0 {
			reasons = []string{""}
		}
		for _, reason := range reasons {
			pod := corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending}}
			if s.Condition == "" {
				pod.Status.Reason = reason
			} else {
				pod.Status.Conditions = []corev1.PodCondition{{Type: s.Condition, Status: s.Status, Reason: reason}}
			}
			pods = append(pods, pod)
		}
	}
	return pods
}
