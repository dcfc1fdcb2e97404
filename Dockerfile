# CodeLutra in a container: a GPU Space of Hugging Face, and the lab server of compose.yaml.
# The app belongs to root and is read by the user; what is written goes below HOME or CODELUTRA_HOME.
FROM python:3.12.12-slim-trixie

# gcc: vLLM's kernels are compiled as they are first needed. nodejs: tasks in JavaScript.
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc g++ nodejs \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 user \
 && install --directory --owner=user /data

WORKDIR /home/user/app
COPY requirements.txt requirements-gpu.txt ./
# compose.yaml asks for requirements.txt on a machine without a GPU.
ARG REQUIREMENTS=requirements-gpu.txt
RUN pip install --no-cache-dir -r $REQUIREMENTS "gradio[oauth]"

COPY app.py ./
COPY codelutra codelutra/
COPY pages pages/
COPY storage storage/
# Its user cannot write them there, and every child process would compile them again.
RUN python -m compileall -q app.py codelutra pages storage

# A Docker Space does not say that it is one; Gradio's sign-in is a mock then, see pages/roles.py.
ENV SYSTEM=spaces \
    HOME=/home/user \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000
EXPOSE 7860
HEALTHCHECK --start-period=120s --interval=30s --timeout=10s \
  CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:7860/health')"]
CMD ["python", "app.py", "--container"]
