// Prints kube/codec/generated/vectors.ts (`go run . > ../../kube/codec/generated/vectors.ts`): objects as Kubernetes' own serializers write them, in JSON and in protobuf.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var at = metav1.NewTime(time.Date(2026, 2, 28, 23, 59, 58, 0, time.UTC))

func p[T any](v T) *T { return &v }

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "default", UID: "0f5a3c6e-8f0b-4f6e-9d5e-2f9d3d1c7a11", ResourceVersion: "9007199254740993", Generation: 3, CreationTimestamp: at,
		Labels: map[string]string{"app.kubernetes.io/name": name, "10": "ten", "9": "nine", "é": "ü", "": "empty"}, Annotations: map[string]string{"note": "日本語 😀 \"quoted\" <html> & more"}}
}

func pod() *corev1.Pod {
	m := meta("rich")
	m.DeletionTimestamp, m.DeletionGracePeriodSeconds = &at, p(int64(0))
	m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "rich-5d", UID: "u", Controller: p(true), BlockOwnerDeletion: p(false)}}
	m.Finalizers = []string{"a/b", ""}
	m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: "Apply", APIVersion: "v1", Time: &at, FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{}}}}}`)}}}
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("web"), HTTPHeaders: []corev1.HTTPHeader{{Name: "X", Value: ""}}}}, InitialDelaySeconds: -1, PeriodSeconds: 10, TerminationGracePeriodSeconds: p(int64(-9223372036854775808))}
	return &corev1.Pod{ObjectMeta: m,
		Spec: corev1.PodSpec{
			Volumes: []corev1.Volume{
				{Name: "empty", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: p(resource.MustParse("1Gi"))}}},
				{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{DefaultMode: p(int32(420)), Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "ca"}}}}}}},
				{Name: "none"}},
			Containers: []corev1.Container{
				{Name: "c", Image: "registry.example/app@sha256:0", Args: []string{"--listen=:8080", ""}, Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080, Protocol: "TCP"}},
					Env:           []corev1.EnvVar{{Name: "A", Value: ""}, {Name: "B", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k", Optional: p(false)}}}},
					EnvFrom:       []corev1.EnvFromSource{{Prefix: "P_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "cm"}}}},
					Resources:     corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse("128Mi"), "cpu": resource.MustParse("250m"), "nvidia.com/gpu": resource.MustParse("1")}},
					LivenessProbe: probe, Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(-80)}}},
					SecurityContext: &corev1.SecurityContext{RunAsUser: p(int64(0)), Privileged: p(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}},
				{}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox"}, TargetContainerName: "c"}},
			NodeSelector:        map[string]string{"b": "", "a": "1"},
			SecurityContext:     &corev1.PodSecurityContext{SupplementalGroups: []int64{0, -1, 1 << 40}},
			Tolerations:         []corev1.Toleration{{Operator: "Exists", TolerationSeconds: p(int64(300))}},
			Affinity:            &corev1.Affinity{},
			Priority:            p(int32(-2147483648)),
			Overhead:            corev1.ResourceList{}},
		Status: corev1.PodStatus{Phase: "Running", StartTime: &at, Conditions: []corev1.PodCondition{{Type: "Ready", Status: "True", LastTransitionTime: at}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "c", Ready: true, RestartCount: 200, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}}}}}}
}

func crd() *apiextensionsv1.CustomResourceDefinition {
	type s = apiextensionsv1.JSONSchemaProps
	raw := func(t string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(t)} }
	root := s{Type: "object", Properties: map[string]s{
		"spec":   {Type: "object", Required: []string{"size"}, Minimum: p(float64(-0.5)), Maximum: p(float64(1e21)), MultipleOf: p(float64(0)), MaxLength: p(int64(63)), Default: raw(`{"a":[1,null,"x"]}`), Enum: []apiextensionsv1.JSON{*raw(`1`), *raw(`"a"`), {Raw: nil}}},
		"list":   {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &s{Type: "string"}}, XListType: p("set")},
		"tuple":  {Items: &apiextensionsv1.JSONSchemaPropsOrArray{JSONSchemas: []s{{Type: "string"}, {}}}},
		"open":   {AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true}, XPreserveUnknownFields: p(true)},
		"closed": {AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{}},
		"map":    {AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true, Schema: &s{Type: "integer", Format: "int64"}}},
		"deps":   {Dependencies: apiextensionsv1.JSONSchemaDependencies{"a": {Property: []string{"b", "c"}}, "b": {Schema: &s{Type: "null"}}}},
	}}
	return &apiextensionsv1.CustomResourceDefinition{ObjectMeta: meta("widgets.example.com"), Spec: apiextensionsv1.CustomResourceDefinitionSpec{Group: "example.com", Scope: "Namespaced",
		Names:      apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Kind: "Widget"},
		Versions:   []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true, Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &root}, Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}}}},
		Conversion: &apiextensionsv1.CustomResourceConversion{Strategy: "Webhook", Webhook: &apiextensionsv1.WebhookConversion{ClientConfig: &apiextensionsv1.WebhookClientConfig{CABundle: []byte{0, 1, 255}}, ConversionReviewVersions: []string{"v1"}}}}}
}

type object interface {
	runtime.Object
	Marshal() ([]byte, error)
}

func objects() map[string]object {
	gv := schema.GroupVersion{Version: "v1"}
	status := metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Message: "pods \"x\" not found", Reason: "NotFound", Code: 404,
		Details: &metav1.StatusDetails{Name: "x", Kind: "pods", Causes: []metav1.StatusCause{{Type: "FieldValueInvalid", Message: "m", Field: "spec.x"}}, RetryAfterSeconds: 5}}
	out := map[string]object{
		"a rich Pod":           pod(),
		"an empty Pod":         &corev1.Pod{},
		"a Deployment":         &appsv1.Deployment{ObjectMeta: meta("web"), Spec: appsv1.DeploymentSpec{Replicas: p(int32(0)), Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "In", Values: []string{"b"}}}}, Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: p(intstr.FromString("25%")), MaxUnavailable: p(intstr.FromInt32(0))}}}},
		"a Service":            &corev1.Service{ObjectMeta: meta("svc"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}, {Name: "x", Port: 443, TargetPort: intstr.FromString("https"), NodePort: 30443}}, IPFamilies: []corev1.IPFamily{"IPv4", "IPv6"}, SessionAffinityConfig: &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: p(int32(10800))}}}},
		"a ConfigMap":          &corev1.ConfigMap{ObjectMeta: meta("cm"), Data: map[string]string{"z": "", "a.txt": "line\n", "long": string(bytes.Repeat([]byte("0123456789abcdef"), 20)), "wide": string(bytes.Repeat([]byte("äöü"), 40)), "__proto__": "x", "\uffee": "1", "\U0001f600": "2"}, BinaryData: map[string][]byte{"b": {0, 255, 128, 10}, "e": {}, "two": {1, 2}}, Immutable: p(false)},
		"a Secret":             &corev1.Secret{ObjectMeta: meta("s"), Type: "Opaque", Data: map[string][]byte{"password": []byte("hunter2"), "one": {7}}},
		"a Node":               &corev1.Node{ObjectMeta: meta("n1"), Spec: corev1.NodeSpec{PodCIDRs: []string{"10.0.0.0/24"}, Taints: []corev1.Taint{{Key: "k", Effect: "NoSchedule", TimeAdded: &at}}}, Status: corev1.NodeStatus{Capacity: corev1.ResourceList{"cpu": resource.MustParse("8"), "memory": resource.MustParse("16Gi")}, Conditions: []corev1.NodeCondition{{Type: "Ready", Status: "True"}}, DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}}, Images: []corev1.ContainerImage{{Names: []string{"i"}, SizeBytes: 1 << 53}}}},
		"an Event":             &corev1.Event{ObjectMeta: meta("e"), InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "x"}, Reason: "Started", FirstTimestamp: at, Count: 3, EventTime: metav1.NewMicroTime(at.Add(1500 * time.Nanosecond)), Series: &corev1.EventSeries{Count: 2, LastObservedTime: metav1.NewMicroTime(at.Time)}},
		"a CRD":                crd(),
		"a Role":               &rbacv1.Role{ObjectMeta: meta("r"), Rules: []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"pods"}}}},
		"a TokenReview":        &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "t"}, Status: authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: "u", Extra: map[string]authenticationv1.ExtraValue{"k": {"a", ""}, "none": {}}}}},
		"an HPA":               &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta("h"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: p(int32(1)), MaxReplicas: 5, Metrics: []autoscalingv2.MetricSpec{{Type: "Object", Object: &autoscalingv2.ObjectMetricSource{Target: autoscalingv2.MetricTarget{Type: "Value", Value: p(resource.MustParse("1500m"))}}}}}},
		"a NetworkPolicy":      &networkingv1.NetworkPolicy{ObjectMeta: meta("np"), Spec: networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{{Port: p(intstr.FromInt32(53)), EndPort: p(int32(54))}, {Port: p(intstr.FromString("dns"))}}, From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}}}}},
		"a Lease":              &coordinationv1.Lease{ObjectMeta: meta("l"), Spec: coordinationv1.LeaseSpec{HolderIdentity: p(""), LeaseDurationSeconds: p(int32(40)), RenewTime: p(metav1.NewMicroTime(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC))), AcquireTime: p(metav1.NewMicroTime(time.Date(1969, 12, 31, 23, 59, 59, 1000, time.UTC)))}},
		"a Status":             &status,
		"DeleteOptions":        &metav1.DeleteOptions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}, GracePeriodSeconds: p(int64(0)), Preconditions: &metav1.Preconditions{ResourceVersion: p("7")}, PropagationPolicy: p(metav1.DeletePropagationForeground), DryRun: []string{"All"}},
		"a PodList":            &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "42", Continue: "c", RemainingItemCount: p(int64(3))}, Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, {ObjectMeta: metav1.ObjectMeta{Name: "b"}}}},
		"a ControllerRevision": &appsv1.ControllerRevision{ObjectMeta: meta("cr"), Data: runtime.RawExtension{Raw: []byte(`{"spec":{"template":{"$patch":"replace","n":12345678901234567}}}`)}, Revision: 1 << 60},
		"an APIResourceList":   &metav1.APIResourceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "pods", Namespaced: true, Kind: "Pod", Verbs: []string{"get", "list"}}, {Name: "none", Verbs: []string{}}}},
	}
	for name, o := range out {
		kind := o.GetObjectKind()
		if !kind.GroupVersionKind().Empty() {
			continue
		}
		group := gv
		switch o.(type) {
		case *appsv1.Deployment, *appsv1.ControllerRevision:
			group = appsv1.SchemeGroupVersion
		case *apiextensionsv1.CustomResourceDefinition:
			group = apiextensionsv1.SchemeGroupVersion
		case *rbacv1.Role:
			group = rbacv1.SchemeGroupVersion
		case *authenticationv1.TokenReview:
			group = authenticationv1.SchemeGroupVersion
		case *autoscalingv2.HorizontalPodAutoscaler:
			group = autoscalingv2.SchemeGroupVersion
		case *networkingv1.NetworkPolicy:
			group = networkingv1.SchemeGroupVersion
		case *coordinationv1.Lease:
			group = coordinationv1.SchemeGroupVersion
		}
		t := fmt.Sprintf("%T", o)
		kind.SetGroupVersionKind(group.WithKind(t[bytes.LastIndexByte([]byte(t), '.')+1:]))
		_ = name
	}
	return out
}

func main() {
	enc := protobuf.NewSerializer(nil, nil)
	vectors := []map[string]any{}
	all := objects()
	names := make([]string, 0, len(all))
	for n := range all {
		names = append(names, n)
	}
	sortStrings(names)
	for _, n := range names {
		var pb bytes.Buffer
		if err := enc.Encode(all[n], &pb); err != nil {
			panic(err)
		}
		text, err := json.Marshal(all[n])
		if err != nil {
			panic(err)
		}
		vectors = append(vectors, map[string]any{"name": n, "json": string(text), "proto": base64.StdEncoding.EncodeToString(pb.Bytes())})
	}
	// A watch event as it goes over the wire: the raw serializer, the object inside with its envelope.
	var inner bytes.Buffer
	if err := enc.Encode(all["a Service"], &inner); err != nil {
		panic(err)
	}
	event, err := (&metav1.WatchEvent{Type: "ADDED", Object: runtime.RawExtension{Raw: inner.Bytes()}}).Marshal()
	if err != nil {
		panic(err)
	}
	fmt.Println("// Made by tools/proto-vectors. Do not edit.")
	fmt.Println("/** Objects as Kubernetes 1.37 writes them: JSON text, and base64 of the protobuf body with its envelope. */")
	fmt.Println("export const vectors: readonly { name: string; json: string; proto: string }[] = [")
	for _, v := range vectors {
		line, _ := marshal(v)
		fmt.Printf("  %s,\n", line)
	}
	fmt.Println("];")
	fmt.Println("/** A metav1.WatchEvent ADDED around the Service above, as it stands in one frame. */")
	fmt.Printf("export const watchEvent = %q;\n", base64.StdEncoding.EncodeToString(event))
}
