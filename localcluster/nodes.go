package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const gpu corev1.ResourceName = "nvidia.com/gpu"

// The virtual node's marks are those seen on VKE clusters: name, labels, taint, and a GPU count that is a purchasing
// limit rather than hardware.
const (
	virtualNodePrefix = "vci-"
	virtualNodeName   = "vci-node1-cn-shanghai-a"
	virtualNodeTaint  = "vci.vke.volcengine.com/node-type"
)

func ordinaryNode(i int) *corev1.Node {
	name := fmt.Sprintf("gpu-node-%d", i)
	return node(name, nil, map[string]string{
		corev1.LabelInstanceTypeStable: "ecs.gni3.28xlarge",
	}, corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("128"),
		corev1.ResourceMemory: resource.MustParse("1Ti"),
		corev1.ResourcePods:   resource.MustParse("110"),
		gpu:                   resource.MustParse("8"),
	})
}

func virtualNode() *corev1.Node {
	taints := []corev1.Taint{{Key: virtualNodeTaint, Value: "vci", Effect: corev1.TaintEffectNoSchedule}}
	return node(virtualNodeName, taints, map[string]string{
		"type":                         "virtual-kubelet",
		corev1.LabelInstanceTypeStable: "virtual-node",
	}, corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("10000"),
		corev1.ResourceMemory: resource.MustParse("40Ti"),
		corev1.ResourcePods:   resource.MustParse("1000"),
		gpu:                   resource.MustParse("1000"),
	})
}

func node(name string, taints []corev1.Taint, labels map[string]string, has corev1.ResourceList) *corev1.Node {
	labels[corev1.LabelHostname] = name
	labels[corev1.LabelOSStable] = "linux"
	labels[corev1.LabelArchStable] = "amd64"
	labels[corev1.LabelTopologyRegion] = "cn-shanghai"
	labels[corev1.LabelTopologyZone] = "cn-shanghai-a"
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.NodeSpec{Taints: taints},
		Status:     corev1.NodeStatus{Capacity: has, Allocatable: has},
	}
}

// makeNodes creates the nodes and waits until each is Ready and open for pods: the controller-manager takes the
// not-ready taint off a little after kwok has made the node Ready.
func makeNodes(ctx context.Context, client kubernetes.Interface, o options) error {
	var nodes []*corev1.Node
	for i := range o.gpuNodes {
		nodes = append(nodes, ordinaryNode(i+1))
	}
	if o.vci {
		nodes = append(nodes, virtualNode())
	}
	for _, n := range nodes {
		if _, err := client.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create node %s: %w", n.Name, err)
		}
	}
	return poll(ctx, func() error {
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		for i := range list.Items {
			if !open(&list.Items[i]) {
				return fmt.Errorf("node %s did not become ready", list.Items[i].Name)
			}
		}
		return nil
	})
}

func open(n *corev1.Node) bool {
	isReady := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	return isReady && !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
		return t.Key == corev1.TaintNodeNotReady
	})
}
