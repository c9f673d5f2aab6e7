"""The client of VIVI's page: a message, the lines of the stream. Uses requests where it is there."""
try:
    import requests
except ImportError:
    from tests.claims.examples import plain as requests


def talk(base, channel, key):
    """The lines that came."""
    headers = {"Content-Type": "application/json", "vivi-api-key": key}
    data = {"message": "a message of mine", "threadId": "conversationId", "userId": None, "attachedFiles": None}
    response = requests.post(f"{base}/channelsApi/{channel}/stream", headers=headers, json=data, stream=True)
    return [line.decode("utf-8") for line in response.iter_lines() if line]
