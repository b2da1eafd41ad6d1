package target

import appsv1 "k8s.io/api/apps/v1"

// ReplicaSets are watched in any case: they stand between a Deployment and its
// pods. Only their metadata is read.
//
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups=apps,resources=replicasets/scale,verbs=get;update

var replicaSetKind = appsv1.SchemeGroupVersion.WithKind("ReplicaSet")
