"""Generator metadata: a file of each program, in each container that it writes."""

import json

import pytest

A1111 = (
    "a red fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 4242, Size: 512x512, "
    "Model: foxmodel"
)
GRAPH = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "foxmodel.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox", "clip": ["1", 1]}},
    "3": {"class_type": "KSampler", "inputs": {"seed": 4242, "sampler_name": "euler", "model": ["1", 0]}},
}
WORKFLOW = {"nodes": [{"type": "KSampler"}], "links": [], "last_node_id": 3}
NOVEL = {
    "prompt": "a red fox",
    "steps": 28,
    "seed": 4242,
    "sampler": "k_euler",
    "uncond_scale": 1.0,
    "noise_schedule": "karras",
}
JOB = "a red fox --v 6.1 Job ID: 01234567-89ab-cdef-0123-456789abcdef"

CHUNKS = {
    "AUTOMATIC1111": [("parameters", A1111)],
    "Stable Diffusion WebUI Forge": [("parameters", A1111 + ", Version: f2.0.1v1.10.1-previous-1")],
    "reForge": [("parameters", A1111 + ", Version: f2.0.1v2-v1.10.1")],
    "Forge Classic": [("parameters", A1111 + ", Version: classic")],
    "SD.Next": [("parameters", A1111 + ", App: SD.Next, Version: 56a8aea")],
    "ComfyUI": [("prompt", json.dumps(GRAPH)), ("workflow", json.dumps(WORKFLOW))],
    "InvokeAI": [
        ("invokeai_metadata", json.dumps({"positive_prompt": "a red fox", "seed": 4242, "model": {"name": "foxmodel"}}))
    ],
    "NovelAI": [("Software", "NovelAI"), ("Source", "NovelAI Diffusion V4"), ("Comment", json.dumps(NOVEL))],
    "RuinedFooocus": [("parameters", json.dumps({"Prompt": "a red fox", "seed": 4242, "software": "RuinedFooocus"}))],
    "Fooocus": [("parameters", json.dumps({"prompt": "a red fox", "seed": 4242, "base_model": "foxmodel"}))],
    "SwarmUI": [
        ("parameters", json.dumps({"sui_image_params": {"prompt": "a red fox", "seed": 4242, "model": "foxmodel"}}))
    ],
    "Easy Diffusion": [("use_stable_diffusion_model", "foxmodel"), ("seed", "4242"), ("prompt", "a red fox")],
    "Stability Matrix": [("smproj", "{}"), ("parameters", A1111)],
    "Tensor.Art": [("generation_data", json.dumps({"prompt": "a red fox", "seed": "4242"}))],
    "Civitai": [("parameters", A1111 + ", Civitai resources: []")],
    "Midjourney": [("Description", JOB), ("Author", "someone")],
    "a Hugging Face Space": [
        ("parameters", json.dumps({"prompt": "a red fox", "seed": 4242, "Model": "foxmodel", "resolution": "8 x 8"}))
    ],
    "DreamStudio": [("Software", "DreamStudio")],
    "Gemini": [("Software", "Google Gemini")],
}


@pytest.mark.parametrize("program", CHUNKS)
def test_text_chunks_of_every_program(program, make, read, values):
    provenance = read(make.png(*(make.text(*chunk) for chunk in CHUNKS[program])))
    assert program in values(provenance, "generator")[0]
    assert (provenance.level, provenance.origin) == ("claimed", "ai")
    if any("4242" in text for _, text in CHUNKS[program]):
        assert values(provenance, "seed") == ["4242"]
        assert values(provenance, "prompt") == ["a red fox"]
    if any("foxmodel" in text for _, text in CHUNKS[program]):
        assert values(provenance, "model")[0].startswith("foxmodel")


@pytest.mark.parametrize("program", ["ComfyUI", "AUTOMATIC1111"])
def test_only_a_workflow_is_said_to_carry_photographs(program, make, read, values):
    (words,) = values(read(make.png(make.text(*CHUNKS[program][0]))), "generator")
    assert ("a screenshot or photograph" in words) == (program == "ComfyUI")


@pytest.mark.parametrize("kind", ["international", "compressed"])
def test_other_text_chunks(kind, make, read, values):
    provenance = read(make.png(getattr(make, kind)("parameters", A1111)))
    assert "AUTOMATIC1111" in values(provenance, "generator")[0]


def test_packed_international_text(make, read, values):
    provenance = read(make.png(make.international("parameters", A1111.replace("fox", "狐"), packed=True)))
    assert values(provenance, "prompt") == ["a red 狐"]


def test_a_chunk_with_a_wrong_checksum_is_read_and_noted(make, read, values):
    body = b"parameters\0" + A1111.encode()
    provenance = read(make.png(make.chunk(b"tEXt", body, right=False)))
    assert values(provenance, "seed") == ["4242"]
    assert any("wrong checksum" in v for v in values(provenance, "unreadable"))


def test_chunks_after_the_end_are_read(make, read, values):
    assert values(read(make.png() + make.text("parameters", A1111)), "seed") == ["4242"]


@pytest.mark.parametrize("code", ["utf-16-le", "utf-16-be"])
def test_exif_user_comment_in_either_byte_order(code, make, read, values):
    comment = b"UNICODE\0" + A1111.encode(code)
    provenance = read(make.jpeg(make.exif_segment(inner={0x9286: comment})))
    assert values(provenance, "model") == ["foxmodel"]


@pytest.mark.parametrize(
    "place", [{0x010F: "Prompt: " + json.dumps(GRAPH)}, {0x010E: "workflow:" + json.dumps(WORKFLOW)}]
)
def test_comfyui_graphs_in_exif_text_tags_are_no_camera(place, make, read, values):
    provenance = read(make.jpeg(make.exif_segment(first=place)))
    assert "ComfyUI" in values(provenance, "generator")[0]
    assert values(provenance, "camera") == []


def test_civitai_jpeg(make, read, values):
    first = {0x0131: "01234567-89ab-cdef-0123-456789abcdef", 0x013B: "ai"}
    provenance = read(
        make.jpeg(make.exif_segment(first=first, inner={0x9286: b"UNICODE\0" + A1111.encode("utf-16-be")}))
    )
    assert "Civitai" in values(provenance, "generator")[0]


@pytest.mark.parametrize(
    ("artist", "software"),
    [("ai", "a program"), ("Jane Doe", "01234567-89ab-cdef-0123-456789abcdef")],
)
def test_one_tag_of_civitai_is_not_civitai(artist, software, make, read, values):
    tags = {0x013B: artist, 0x0131: software}
    content = make.jpeg(make.exif_segment(first=tags, inner={0x9286: b"ASCII\0\0\0" + A1111.encode()}))
    assert "AUTOMATIC1111" in values(read(content), "generator")[0]


def test_early_dalle_tags_in_ifd0(make, read, values):
    provenance = read(make.jpeg(make.exif_segment(first={0x927C: b"x" * 20, 0x9286: b"ASCII\0\0\0fox"})))
    assert "DALL·E 2" in values(provenance, "generator")[0]


def test_grok_signature(make, read, values):
    first = {0x010E: "Signature: " + "Ab1+" * 20, 0x013B: "01234567-89ab-cdef-0123-456789abcdef"}
    assert "Grok" in values(read(make.jpeg(make.exif_segment(first=first))), "generator")[0]


DREAM = '"a red fox" -s50 -W512 -H512 -C7.5 -Ak_lms -S4242'


@pytest.mark.parametrize(
    ("keyword", "written", "innocent"),
    [
        (
            "generation_data",
            '{"prompt": "a fox", "models": []}',
            ["hello", "{}", '{"prompt": "?"}', '{"seed": "wheat"}'],
        ),
        ("Dream", DREAM, ["I dreamt of the sea -so blue", "{}", "a race -s 5"]),
        ("sd-metadata", '{"model": "stable diffusion", "app_id": "invoke-ai/InvokeAI"}', ["32 GB card", "{}", "[]"]),
        ("invokeai_metadata", '{"positive_prompt": "a fox"}', ["{}", "none"]),
        ("invokeai_graph", '{"nodes": {}}', ["a graph"]),
        ("smproj", '{"Version": 2, "ProjectType": "TextToImage", "State": {}}', ["{}", "project 7"]),
        ("sui_image_params", '{"prompt": "a fox"}', ["none", "{}"]),
        ("fooocus_scheme", "fooocus", ["a scheme"]),
        ("use_stable_diffusion_model", None, ["foxmodel"]),
        ("extraMetadata", '{"prompt": "a fox", "resources": []}', ["taken at noon", "{}", '{"lens": "50 mm"}']),
    ],
)
def test_a_keyword_claims_with_what_its_program_writes_and_not_alone(keyword, written, innocent, make, read):
    if written:
        assert read(make.png(make.text(keyword, written))).origin == "ai"
    for text in innocent:
        assert read(make.png(make.text(keyword, text))).level == "none"


@pytest.mark.parametrize(
    ("record", "service"),
    [
        ('{"aigc_info": {"aigc_label_type": 0, "source_info": "dreamina"}}', "Dreamina"),
        ('{"aigc_info": {"aigc_label_type": 2}}', "an AI service"),
        ('{"aigc_info": "{\\"source_info\\": \\"jimeng\\"}"}', "Jimeng"),
        ('{"aigc_info": {"aigc_label_type": 0, "created_by_ai": false}}', None),
        ('{"aigc_info": {"aigc_label_type": 0, "source_info": "camera"}}', None),
        ('{"aigc_info": {}, "source_info": "dreamina festival"}', None),
        ('{"extraMetadata": {"lens": "50 mm"}}', None),
        ('{"extraMetadata": "{\\"negativePrompt\\": \\"\\"}"}', "Civitai"),
    ],
)
def test_only_a_record_that_says_so_claims_ai(record, service, make, read, values):
    provenance = read(make.png(make.text("Comment", record)))
    assert [service in v for v in values(provenance, "generator")] == [True] * (service is not None)


def test_dreamina_record(make, read, values):
    comment = b'ASCII\0\0\0{"aigc_info":{"aigc_label_type":0,"source_info":"dreamina"}}'
    assert "Dreamina" in values(read(make.jpeg(make.exif_segment(inner={0x9286: comment}))), "generator")[0]


def test_draw_things_xmp(make, read, values):
    comment = json.dumps({"c": "a red fox", "uc": "", "sampler": "Euler A", "seed": 4242}).replace('"', "&quot;")
    provenance = read(make.jpeg(make.xmp_segment({"xmp:CreatorTool": "Draw Things", "exif:UserComment": comment})))
    assert "Draw Things" in values(provenance, "generator")[0]
    assert values(provenance, "seed") == ["4242"]


@pytest.mark.parametrize("packed", [True, False])
def test_data_hidden_in_the_alpha_channel(packed, make, read, values):
    hidden = json.dumps({"Software": "NovelAI", "Comment": json.dumps(NOVEL)})
    provenance = read(make.png(pixels=make.hide(hidden, make.pixels(), packed=packed), mode="RGBA"))
    assert "NovelAI" in values(provenance, "generator")[0]
    assert values(provenance, "seed") == ["4242"]
    assert values(provenance, "hidden-data")


def test_ordinary_texts_are_no_generator(make, read, values):
    texts = (
        ("Comment", "Steps: we climbed the tower"),
        ("Title", "Gemini rising over the sampler"),
        ("Description", "A workflow diagram with nodes and links, prompt service"),
        ("parameters", "exposure 3"),
        ("Author", "Claude Monet"),
    )
    provenance = read(make.png(*(make.text(*t) for t in texts)))
    assert values(provenance, "generator") == []
    assert provenance.origin == "unknown"


def test_only_novelai_names_its_model_in_source(make, read, values):
    others = read(make.png(make.text("Software", "Midjourney"), make.text("Source", "archive of Jane Doe")))
    assert values(others, "model") == []
    novel = read(make.png(make.text("Software", "NovelAI"), make.text("Source", "Stable Diffusion F1022A28")))
    assert values(novel, "model") == ["Stable Diffusion F1022A28"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("C:\\Users\\jane\\models\\fox.safetensors", "fox.safetensors"),
        ("/home/jane/fox.safetensors", "fox.safetensors"),
        ("~/fox.safetensors", "fox.safetensors"),
        ("makers/FOX.1-dev", "makers/FOX.1-dev"),
        ("jane\\private\\fox.safetensors", "fox.safetensors"),
        ("home/jane/loras/fox.safetensors", "fox.safetensors"),
        ("jane/fox.safetensors [0a1b2c]", "fox.safetensors [0a1b2c]"),
        ("%USERPROFILE%\\jane\\fox.safetensors", "fox.safetensors"),
        ("models/jane/fox", "fox"),
    ],
)
def test_a_model_is_named_without_the_account_that_it_lies_in(path, shown, make, read, values):
    assert values(read(make.png(make.text("parameters", A1111.replace("foxmodel", path)))), "model") == [shown]


def test_another_graph_of_nodes_and_links_is_no_workflow(make, read, values):
    graph = {"nodes": [{"id": "Alice"}, {"id": "Bob", "type": "person"}], "links": [{"source": "Alice"}]}
    assert read(make.png(make.text("Comment", json.dumps(graph)))).level == "none"
    workflow = {"nodes": [{"type": "KSampler", "widgets_values": [1]}], "links": []}
    assert "ComfyUI" in values(read(make.png(make.text("Comment", json.dumps(workflow)))), "generator")[0]


@pytest.mark.parametrize("key", ["ckpt_name", "unet_name"])
def test_the_model_of_a_graph_is_not_what_enlarges_its_pictures(key, make, read, values):
    enlarger = {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "4x-UltraSharp.pth"}}
    loader = {"class_type": "Loader", "inputs": {key: "foxmodel.safetensors"}}
    graph = json.dumps({"1": enlarger, "2": loader})
    assert values(read(make.png(make.text("prompt", graph))), "model") == ["foxmodel.safetensors"]
    assert values(read(make.png(make.text("prompt", json.dumps({"1": enlarger})))), "model") == ["4x-UltraSharp.pth"]


@pytest.mark.parametrize(
    ("tags", "program"),
    [
        ({0x0131: "AI generated;txt2img;flux", 0x010F: "Black Forest Labs", 0x0110: "flux-dev"}, "Black Forest Labs"),
        ({0x0131: "AI generated;txt2img;flux"}, "AI"),
        ({0x010F: "Ideogram AI"}, "Ideogram AI"),
        ({0x010F: "Google", 0x0110: "flux1-schnell"}, "flux1-schnell"),
    ],
)
def test_a_generator_in_a_cameras_place_is_no_camera(tags, program, make, read, values):
    provenance = read(make.jpeg(make.exif_segment(first=tags)))
    assert values(provenance, "generator") == [f"the file claims to be made with {program}"]
    assert (values(provenance, "camera"), values(provenance, "contradiction")) == ([], [])
    assert values(provenance, "model") == (["flux-dev"] if program == "Black Forest Labs" else [])


def test_a_program_in_tiff_software_of_xmp(make, read, values):
    space = b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Software="Adobe Firefly"'
    body = make.xmp({}).replace(b"/></rdf:RDF>", space + b"/></rdf:RDF>")
    provenance = read(make.jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + body)))
    assert values(provenance, "generator") == ["the file claims to be made with Adobe Firefly"]
    assert values(provenance, "software") == ["Adobe Firefly"]


@pytest.mark.parametrize(
    ("steps", "origin"),
    [
        ([("created", "Adobe Firefly")], "ai"),
        ([("created", "Adobe Firefly"), ("saved", "some program")], "ai"),
        ([("created", "some program")], "unknown"),
        ([("created", "some program"), ("saved", "Adobe Firefly")], "edited"),
        ([("created", ""), ("saved", "Adobe Firefly")], "edited"),
    ],
)
def test_the_program_of_a_history_that_created_the_picture(steps, origin, make, read, values):
    inner = "".join(f'<rdf:li e:action="{action}" e:softwareAgent="{agent}"/>' for action, agent in steps)
    space = b' xmlns:e="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"><e:History><rdf:Seq>'
    end = b"</rdf:Seq></e:History></rdf:Description></rdf:RDF>"
    body = make.xmp({}).replace(b"/></rdf:RDF>", space + inner.encode() + end)
    provenance = read(make.jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + body)))
    assert provenance.origin == origin
    assert bool(values(provenance, "generator")) == (origin == "ai")
    assert len(values(provenance, "history")) == 1
