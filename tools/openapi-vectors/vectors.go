package main

type vector struct{ name, document string }

var vectors = []vector{
	{"an empty document", wrap(`{}`, `{}`)},
	{"security, its definitions and parameters by name", `{"swagger":"2.0","info":{"title":"Kubernetes","version":"1.37"},"paths":{},"definitions":{},` +
		`"parameters":{"body-2Y1dVQaQ":{"name":"body","in":"body","schema":{"$ref":"#/definitions/a.B"}},"limit-1NfNmdNH":{"uniqueItems":true,"type":"integer","description":"at most","name":"limit","in":"query"}},` +
		`"securityDefinitions":{"BearerToken":{"description":"Bearer Token authentication","type":"apiKey","name":"authorization","in":"header"}},"security":[{"BearerToken":[]},{"A":["one","two"],"B":[""]}]}`},
	{"an operation with all that Kubernetes says of one", wrap(`{"/api/v1/pods/{name}":{`+
		`"get":{"description":"read the specified Pod","consumes":["*/*"],"produces":["application/json","application/yaml"],"schemes":["https"],"tags":["core_v1"],"operationId":"readCoreV1Pod","deprecated":true,`+
		`"responses":{"200":{"description":"OK","schema":{"$ref":"#/definitions/a.Pod"}},"401":{"description":"Unauthorized"},"default":{"description":""}},`+
		`"x-kubernetes-action":"get","x-kubernetes-group-version-kind":{"group":"","kind":"Pod","version":"v1"}},`+
		`"put":{"responses":{}},"post":{"responses":{"201":{"description":"Created","schema":{"type":"string"}}}},"delete":{"deprecated":false,"responses":{}},"options":{"responses":{}},"head":{"responses":{}},`+
		`"patch":{"consumes":[],"tags":["a","b"],"responses":{},"x-b":1,"x-a":[]},`+
		`"parameters":[{"$ref":"#/parameters/pretty-tJGM1-ng"},{"uniqueItems":true,"type":"string","description":"name of the Pod","name":"name","in":"path","required":true},`+
		`{"name":"body","in":"body","required":true,"description":"what","schema":{"$ref":"#/definitions/a.Pod"}},{"name":"limit","in":"query","type":"integer","required":false,"uniqueItems":false},`+
		`{"name":"h","in":"header","type":"string"}]}}`, `{}`)},
	{"a schema with every keyword", wrap(`{}`, `{"a.All":{"description":"é 日本語 😀 \"quoted\" <html>","format":"int-or-string","title":"T","discriminator":"kind","readOnly":true,`+
		`"type":["object","null"],"required":["b","a",""],"multipleOf":0.5,"maximum":1e21,"exclusiveMaximum":true,"minimum":-3,"exclusiveMinimum":true,"maxLength":63,"minLength":1,"pattern":"^[a-z]+$",`+
		`"maxItems":9007199254740991,"minItems":-1,"uniqueItems":true,"maxProperties":200,"minProperties":2,"enum":["a","",1,1.5,true,null,"true","1"],"additionalProperties":{"type":"string","format":"byte"},`+
		`"items":{"$ref":"#/definitions/a.None"},"allOf":[{"$ref":"#/definitions/a.None"},{}],"properties":{"z":{"type":"string"},"a":{},"type":{"type":"array","items":{"type":"integer","format":"int64"}}},`+
		`"default":{"a":[1]},"example":"e"},"a.None":{},"a.Open":{"additionalProperties":true},"a.Closed":{"additionalProperties":false},`+
		`"a.Zero":{"maximum":0,"minLength":0,"readOnly":false,"description":"","type":"object","required":[],"enum":[],"allOf":[],"properties":{},"additionalProperties":{}}}`)},
	{"extensions of Kubernetes", wrap(`{}`, `{"io.k8s.api.core.v1.Pod":{"type":"object","x-kubernetes-group-version-kind":[{"group":"","kind":"Pod","version":"v1"},{"group":"apps","kind":"Pod","version":"v1beta1"}],`+
		`"x-kubernetes-unions":[{"discriminator":"type","fields-to-discriminateBy":{"localhostProfile":"LocalhostProfile","n":"y"}},{}],"x-kubernetes-list-map-keys":["containerPort","protocol"],"x-kubernetes-list-type":"map",`+
		`"x-kubernetes-patch-merge-key":"containerPort","x-kubernetes-patch-strategy":"merge,retainKeys","x-kubernetes-map-type":"atomic","x-kubernetes-preserve-unknown-fields":true}}`)},
	{"extensions of all forms", wrap(`{}`, `{"a.X":{"x-empty":"","x-null":null,"x-bool":false,"x-int":-12,"x-float":1.5,"x-exp":1e+21,"x-list":[],"x-map":{},"x-nested":[[1,[2]],{"a":{"b":["c",{"d":{}}],"":"e"}},[]],`+
		`"x-deep":{"a":{"b":{"c":[{"d":[{"e":1,"f":{"g":2}}]}]}}},`+
		`"x-words":["true","True","yes","on","n","null","~","1","0x1","0o17","017","1e3",".5",".inf","1_000","2001-01-01","2001-01-01T00:00:00Z","=","<<","1:30","-","- a","a: b","a:","a #b","#a","?","? a",":a","-a","---","!a","&a","*a","'a'","\"a\"","%a","@a","`+"`"+`a","{a","[a",",a","|","> a"," a","a ","a\tb","\t","é","日本語","😀","\u0085","\u0000","\u007f","\ufeff","a\\b","a'b","'a: b'"],`+
		`"x-lines":["a\nb","a\nb\n","a\n\n","\na"," a\nb","a\n b","a \nb","\n","a\tb\nc","a\r\nb","é\nb","\u0001\n"],"x-text":"one\ntwo","x-in":{"rule":"self.a\n  && self.b","message":"a: b","long":"`+long+`"},"x-key":{"a b":1,"a: b":2,"true":3,"~":6,"":7,"é":8}}}`)},
}

// Longer than the 80 columns that other printers fold at.
const long = "the quick brown fox jumps over the lazy dog the quick brown fox jumps over the lazy dog the quick brown fox jumps over the lazy dog"

func wrap(paths, definitions string) string {
	return `{"swagger":"2.0","info":{"title":"Kubernetes","version":"1.37"},"paths":` + paths + `,"definitions":` + definitions + `}`
}
