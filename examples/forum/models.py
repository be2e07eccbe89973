"""What the forum keeps: PynamoDB's ``Thread``, declared once for every site."""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

from dynaflask import Dynamo

db = Dynamo()


class ViewIndex(GlobalSecondaryIndex["Thread"]):
    """Finds threads by how often they were viewed."""

    class Meta:
        projection = AllProjection()

    views = NumberAttribute(hash_key=True)


class Thread(db.Model):
    """A thread of a forum. Where it is kept is the app's to say."""

    class Meta:
        table_name = "Thread"
        billing_mode = PAY_PER_REQUEST_BILLING_MODE

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    views = NumberAttribute(default=0)
    view_index = ViewIndex()
