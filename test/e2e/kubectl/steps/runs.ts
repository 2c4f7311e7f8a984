import type { Section } from '../steps.ts';

/** Pods that run once, and those that can't. */
export const runs: Section = {
  name: 'runs',
  steps: [
    { run: 'kubectl run hello --image=$IMAGE --restart=Never -- echo hello' },
    { run: 'kubectl wait --for=jsonpath={.status.phase}=Succeeded pod/hello --timeout=30s' },
    { run: 'kubectl logs hello' },
    { run: 'kubectl get pod hello' },
    // The kubelet tells of the sandbox's end after the pod's own.
    { run: 'kubectl describe pod hello', until: /PodReadyToStartContainers +False/ },
    { run: 'kubectl exec hello -- true' },
    { run: 'kubectl attach hello' },
    { run: 'kubectl delete pod hello --wait=false' },
    {
      run: `kubectl run once --rm -i --restart=Never --image=$IMAGE -- sh -c 'read x; echo got $x'`,
      in: 'input\n',
      keep: 'code',
      has: /got input/,
    },
    {
      run: `kubectl run typed --rm -it --restart=Never --image=$IMAGE -- sh -c 'read x; echo got $x; exit 6'`,
      tty: [
        ['', 'typed\r'],
        ['', '\r'],
      ],
      keep: 'code',
      has: /got typed/,
    },
    { run: 'kubectl run bad --rm -i --restart=Never --image=$IMAGE -- sh -c "sleep 1; exit 9"', keep: 'code' },
    {
      run: `kubectl run attached --image=$IMAGE -it --restart=Never --attach=false --command -- sh -c 'while read x; do echo got $x; done'`,
    },
    { run: 'kubectl wait --for=condition=Ready pod/attached --timeout=30s' },
    {
      run: 'kubectl attach -it attached',
      tty: [
        ['', 'one\r'],
        ['got one', '\x04'],
      ],
      keep: 'code',
      has: /got one/,
    },
    {
      run: `kubectl run piped --image=$IMAGE -i --restart=Never --attach=false --command -- sh -c 'while read x; do echo got $x; done'`,
    },
    { run: 'kubectl wait --for=condition=Ready pod/piped --timeout=30s' },
    { run: 'kubectl attach -i piped', in: 'two\n', keep: 'code', has: /got two/ },
    { run: 'kubectl get pod attached', until: /Completed/ },
    { run: 'kubectl logs piped', until: /got two/ },
    { run: 'kubectl run none' },
    { run: 'kubectl run Bad_Name --image=x' },
    { run: 'kubectl run twice --image=$IMAGE --restart=Never --labels=a=b --env=A=b --port=80 -- sleep 1000' },
    { run: 'kubectl run twice --image=$IMAGE' },
    { run: 'kubectl wait --for=condition=Ready pod/twice --timeout=30s' },
    { run: 'kubectl delete pod twice --grace-period=0 --force' },
    { run: 'kubectl wait --for=delete pod/twice --timeout=30s' },
    { run: 'kubectl delete pod attached piped hello --ignore-not-found', keep: 'sorted' },

    { run: 'kubectl apply -f crashes.yaml' },
    { run: 'kubectl get pod crashes', until: /CrashLoopBackOff|Error/, keep: 'code', has: /CrashLoopBackOff|Error/ },
    // After its first run there is no earlier one yet.
    {
      run: 'kubectl logs crashes --previous',
      until: /last words|unable to retrieve/,
      keep: 'code',
      has: /last words|unable to retrieve/,
    },
    { run: 'kubectl events --for=pod/crashes', until: /Back-off restarting/, keep: 'sorted' },
    { run: 'kubectl describe pod crashes', keep: 'code', has: /Exit Code: +7/ },
    { run: 'kubectl delete pod crashes --grace-period=0' },
    { run: 'kubectl run absent --image=registry.k8s.io/e2e-test-images/missing:1' },
    { run: 'kubectl get pod absent', until: /ImagePullBackOff/ },
    { run: 'kubectl describe pod absent', until: /Reason: +ImagePullBackOff[\s\S]*Back-off pulling/ },
    { run: 'kubectl logs absent' },
    { run: 'kubectl exec absent -- true' },
    { run: 'kubectl delete pod absent --grace-period=1' },
    {
      run: `kubectl run large --image=$IMAGE --overrides='{"spec":{"containers":[{"name":"large","image":"'$IMAGE'","resources":{"requests":{"cpu":"1000"}}}]}}'`,
    },
    { run: 'kubectl get pod large', until: /Pending/ },
    { run: 'kubectl describe pod large', until: /FailedScheduling/ },
    { run: 'kubectl logs large' },
    { run: 'kubectl delete pod large' },
    {
      run: `kubectl run nokeys --image=$IMAGE --restart=Never --overrides='{"spec":{"containers":[{"name":"nokeys","image":"'$IMAGE'","envFrom":[{"secretRef":{"name":"none"}}]}]}}'`,
    },
    { run: 'kubectl get pod nokeys', until: /CreateContainerConfigError/ },
    { run: 'kubectl describe pod nokeys', until: /Failed/ },
    { run: 'kubectl delete pod nokeys --force', keep: 'all' },
    {
      run: `kubectl run nowhere --image=$IMAGE --restart=Never --overrides='{"spec":{"volumes":[{"name":"v","secret":{"secretName":"none"}}],"containers":[{"name":"nowhere","image":"'$IMAGE'","volumeMounts":[{"name":"v","mountPath":"/v"}]}]}}'`,
    },
    { run: 'kubectl describe pod nowhere', until: /FailedMount/ },
    { run: 'kubectl delete pod nowhere --force' },
  ],
};
