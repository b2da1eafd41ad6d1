package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// freeNodeLeases removes the leases a killed kwok left. kwok has a new identity each time it starts and leaves nodes
// alone whose lease another identity holds, for 40 s; but there is only one kwok here, and it is known to have ended.
// It waits for the API server, which kwok would do too.
func freeNodeLeases(ctx context.Context, c *cluster) error {
	config, err := clientcmd.BuildConfigFromFlags("", c.dir.pki("kwok.kubeconfig"))
	if err != nil {
		return fmt.Errorf("read kwok's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client for kwok's leases: %w", err)
	}
	err = poll(ctx, func() error {
		return client.CoordinationV1().Leases(corev1.NamespaceNodeLease).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	})
	if err != nil {
		return fmt.Errorf("free the node leases: %w", err)
	}
	return nil
}
