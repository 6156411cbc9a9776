"""The paper whose kind of model all this is for."""

BIBTEX = """\
@article{chen2025inpainting,
  title   = {From Inpainting to Layer Decomposition: Repurposing Generative Inpainting Models for Image Layer
             Decomposition},
  author  = {Chen, Jingxi and Zhang, Yixiao and Qian, Xiaoye and Li, Zongxia and Fermuller, Cornelia and
             Chen, Caren and Aloimonos, Yiannis},
  journal = {arXiv preprint arXiv:2511.20996},
  year    = {2025}
}"""
